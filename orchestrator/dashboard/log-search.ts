/**
 * Finds the log lines of one request in the files of this machine. Bounded: the end of
 * each file alone is read, piece by piece, and so many lines are given at most.
 */
import { open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { parseNode } from '../../wire/znodes.ts'

/** Of the end of each file. */
const TAIL_BYTES = 16 * 1024 * 1024
const PIECE_BYTES = 1024 * 1024
const FILES_MAX = 200
const LINES_MAX = 500

export interface LogFile {
  /** Who wrote it: `rides-api`, `worker 1f00a2bc`. */
  readonly source: string
  readonly path: string
}

export interface LogLine {
  readonly source: string
  /** ISO text; '' of a line that tells none. */
  readonly at: string
  readonly level: string
  readonly message: string
  readonly fields: Record<string, unknown>
}

export interface LogFolders {
  /** Of the processes that `npm start` watches. */
  readonly logsDir: string | undefined
  /** Has a folder for each worker. */
  readonly workersDir: string | undefined
}

export interface Found {
  readonly sources: string[]
  /** By time. */
  readonly lines: LogLine[]
  /** Whether there were more. */
  readonly more: boolean
}

export async function findLines(requestId: string, folders: LogFolders): Promise<Found> {
  const files = (await logFiles(folders)).slice(0, FILES_MAX)
  const found: LogLine[] = []
  for (const { source, path } of files) {
    for await (const text of linesWith(JSON.stringify(requestId).slice(1, -1), path)) {
      const line = lineOf(text, source)
      if (isOf(requestId, line.fields)) found.push(line)
      if (found.length > LINES_MAX) break
    }
  }
  const lines = found.slice(0, LINES_MAX).sort((a, b) => a.at.localeCompare(b.at))
  const sources = [...new Set(files.map(({ source }) => source))]
  return { sources, lines, more: found.length > LINES_MAX }
}

export async function logFiles({ logsDir, workersDir }: LogFolders): Promise<LogFile[]> {
  const logs = (await namesIn(logsDir)).flatMap(name => {
    const [, source] = /^(.+)\.log(?:\.1)?$/.exec(name) ?? []
    return source === undefined ? [] : [{ source, path: join(logsDir ?? '', name) }]
  })
  const workers = (await namesIn(workersDir)).map(name => ({
    source: `worker ${name}`,
    path: join(workersDir ?? '', name, 'worker.log')
  }))
  return [...logs, ...workers]
}

async function namesIn(dir: string | undefined): Promise<string[]> {
  if (dir === undefined) return []
  const names = await readdir(dir).catch((): string[] => [])
  return names.filter(name => !name.startsWith('.')).sort()
}

/** Lines that hold the text somewhere; none of a file that cannot be read. */
async function* linesWith(sought: string, path: string): AsyncGenerator<string> {
  const file = await open(path, 'r').catch(() => null)
  if (file === null) return
  try {
    const { size } = await file.stat()
    let at = Math.max(0, size - TAIL_BYTES)
    let rest = ''
    while (at < size) {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(PIECE_BYTES), { position: at })
      if (bytesRead === 0) break
      at += bytesRead
      const text = rest + buffer.toString('latin1', 0, bytesRead)
      const end = text.lastIndexOf('\n') + 1
      // A line that has no end in a whole piece is none of ours.
      rest = text.length - end > PIECE_BYTES ? '' : text.slice(end)
      yield* matching(text.slice(0, end), sought)
    }
  } finally {
    await file.close()
  }
}

function* matching(text: string, sought: string): Generator<string> {
  let from = 0
  for (;;) {
    const hit = text.indexOf(sought, from)
    if (hit < 0) return
    const begin = text.lastIndexOf('\n', hit) + 1
    const end = text.indexOf('\n', hit)
    yield Buffer.from(text.slice(begin, end), 'latin1').toString()
    from = end + 1
  }
}

export const LEVELS: Readonly<Record<number, string>> = {
  10: 'trace',
  20: 'debug',
  30: 'info',
  40: 'warn',
  50: 'error',
  60: 'fatal'
}

export function lineOf(text: string, source: string): LogLine {
  const entry = parseNode<Record<string, unknown>>(text)
  if (entry === null) return { source, at: '', level: '', message: text, fields: {} }
  const { time, level, msg, service: _service, ...fields } = entry
  return {
    source,
    at: String(time ?? ''),
    level: LEVELS[Number(level)] ?? String(level ?? ''),
    message: String(msg ?? ''),
    fields
  }
}

/** The id itself, or as a part of one that a service made of it: `rides:create:<key>:1`. */
export function isOf(requestId: string, value: unknown): boolean {
  if (typeof value === 'string') {
    return value === requestId || `:${value}:`.includes(`:${requestId}:`)
  }
  if (typeof value !== 'object' || value === null) return false
  return Object.values(value).some(inner => isOf(requestId, inner))
}
