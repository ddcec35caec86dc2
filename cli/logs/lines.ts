/**
 * Log lines of all processes as one list, whoever wrote them: Convoy's own are JSON;
 * RabbitMQ, ZooKeeper and PostgreSQL write text, of which time and level are read. Pure.
 */
import { stripVTControlCharacters } from 'node:util'
import { isOf, LEVELS, type LogLine, lineOf } from '../../orchestrator/dashboard/log-search.ts'
import { type Style, styled } from '../terminal.ts'

export const LEVEL_NAMES = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const
export type Level = (typeof LEVEL_NAMES)[number]

const RANKS = new Map(Object.entries(LEVELS).map(([rank, name]) => [name, Number(rank)]))

const DATE_TIME =
  /^(?:--- )?(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:[.,](\d{3})\d*)?(?:Z|\+00:00| GMT| UTC)?/
const WORD =
  /\[(debug|info|notice|warning|error|critical)\]|\b(DEBUG|INFO|LOG|NOTICE|WARN|WARNING|ERROR|FATAL|PANIC)\b/
const MEANT: Readonly<Record<string, Level>> = {
  notice: 'info',
  log: 'info',
  warning: 'warn',
  critical: 'fatal',
  panic: 'fatal'
}

/** @param before of the same file: a line that tells no time is of its time */
export function parseLine(written: string, source: string, before?: LogLine): LogLine {
  // RabbitMQ colours its lines, whoever reads them.
  const text = stripVTControlCharacters(written)
  const line = lineOf(text, source)
  if (line.at !== '') return line
  const [stamp = '', day, time, ms = '000'] = DATE_TIME.exec(text) ?? []
  if (day === undefined) return { ...line, at: before?.at ?? '', level: before?.level ?? '' }
  const [, quoted, bare] = WORD.exec(text) ?? []
  const word = (quoted ?? bare ?? '').toLowerCase()
  const message = text.slice(stamp.length).trim()
  return { ...line, message, at: `${day}T${time}.${ms}Z`, level: MEANT[word] ?? word }
}

export interface Wanted {
  /** This level and those above. */
  readonly level: Level | undefined
  readonly requestId: string | undefined
  /** ISO text. */
  readonly since: string | undefined
}

export function isWanted(line: LogLine, { level, requestId, since }: Wanted): boolean {
  if (level !== undefined && (RANKS.get(line.level) ?? 0) < (RANKS.get(level) ?? 0)) return false
  if (since !== undefined && line.at < since) return false
  return requestId === undefined || isOf(requestId, line.fields) || line.message.includes(requestId)
}

export const byTime = (lines: readonly LogLine[]): LogLine[] =>
  [...lines].sort((a, b) => a.at.localeCompare(b.at))

const STYLES: Readonly<Record<string, Style>> = {
  trace: 'dim',
  debug: 'dim',
  warn: 'yellow',
  error: 'red',
  fatal: 'red'
}

const SOURCE_CELLS = 15

export function lineText({ at, level, source, message, fields }: LogLine): string {
  const style = STYLES[level]
  const word = level.toUpperCase().padEnd(5)
  const { pid: _pid, ...rest } = fields
  const values = Object.entries(rest).map(([name, value]) => `${name}=${valueText(value)}`)
  return [
    styled('dim', at.padEnd(24)),
    style === undefined ? word : styled(style, word),
    styled('cyan', source.padEnd(SOURCE_CELLS)),
    message,
    ...(values.length === 0 ? [] : [styled('dim', values.join(' '))])
  ].join(' ')
}

function valueText(value: unknown): string {
  // A stack is for --json.
  if (typeof value === 'object' && value !== null && 'stack' in value) {
    return JSON.stringify((value as { message?: unknown }).message ?? value)
  }
  return typeof value === 'string' && /^[\w.:/-]+$/.test(value) ? value : JSON.stringify(value)
}

const UNITS_MS: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000
}

/** @param text `10m`, `2h`, or a time @returns ISO text, undefined for what is neither */
export function sinceOf(text: string, nowMs = Date.now()): string | undefined {
  const [, count, unit = ''] = /^(\d+)([smhd])$/.exec(text) ?? []
  const ms = count === undefined ? Date.parse(text) : nowMs - Number(count) * (UNITS_MS[unit] ?? 0)
  return Number.isNaN(ms) ? undefined : new Date(ms).toISOString()
}
