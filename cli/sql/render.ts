/**
 * Results of statements as text: aligned as psql shows them, or one column a line. Pure.
 */
import stringWidth from 'string-width'
import { styled } from '../terminal.ts'
import { msText, plural } from '../text.ts'
import type { Result, Row } from './session.ts'

const NUMBERS = new Set(['int2', 'int4', 'int8', 'float4', 'float8', 'numeric', 'oid'])

export interface Field {
  readonly name: string
  readonly type?: string
}

export interface Looks {
  /** One column a line. */
  readonly expanded: boolean
  readonly timing: boolean
}

export function resultText(result: Result, looks: Looks): string {
  const { index, ms } = result
  const parts =
    result.kind === 'read'
      ? [rowsText(result.fields, result.rows, looks)]
      : result.results.map(({ rowCount, rows }) =>
          rows.length > 0
            ? rowsText(fieldsOf(rows), rows, looks)
            : `ok, ${plural(rowCount, 'row')}, index ${index}`
        )
  const where = result.kind === 'read' ? `worker ${result.workerId}` : `term ${result.term}`
  const timing = looks.timing ? [styled('dim', `${msText(ms)}, index ${index}, ${where}`)] : []
  return [...parts, ...timing].join('\n')
}

/** A write tells no types. */
export const fieldsOf = (rows: readonly Row[]): Field[] =>
  Object.keys(rows[0] ?? {}).map(name => ({ name }))

export function rowsText(
  fields: readonly Field[],
  rows: readonly Row[],
  { expanded }: Pick<Looks, 'expanded'>
): string {
  const count = `(${plural(rows.length, 'row')})`
  if (fields.length === 0) return count
  const body = expanded ? expandedText(fields, rows) : gridText(fields, rows)
  return body === '' ? count : `${body}\n${count}`
}

function gridText(fields: readonly Field[], rows: readonly Row[]): string {
  const cells = rows.map(row => fields.map(({ name }) => valueText(row[name])))
  const widths = fields.map(({ name }, i) =>
    Math.max(stringWidth(name), ...cells.map(line => stringWidth(line[i] ?? '')))
  )
  const spaces = (text: string, i: number) => ' '.repeat((widths[i] ?? 0) - stringWidth(text))
  const line = (texts: readonly string[]) => ` ${texts.join(' | ')}`.trimEnd()
  const head = fields.map(({ name }, i) => styled('bold', name) + spaces(name, i))
  const rule = widths.map(width => '-'.repeat(width + 2)).join('+')
  const body = cells.map((texts, at) =>
    line(
      texts.map((text, i) => {
        const { name = '', type = '' } = fields[i] ?? {}
        const shown = rows[at]?.[name] === null ? styled('dim', text) : text
        return NUMBERS.has(type) ? spaces(text, i) + shown : shown + spaces(text, i)
      })
    )
  )
  return [line(head), rule, ...body].join('\n')
}

function expandedText(fields: readonly Field[], rows: readonly Row[]): string {
  const width = Math.max(...fields.map(({ name }) => stringWidth(name)))
  return rows
    .map((row, at) =>
      [
        styled('dim', `-[ ${at + 1} ]${'-'.repeat(width)}`),
        ...fields.map(({ name }) => {
          const spaces = ' '.repeat(width - stringWidth(name))
          return `${styled('bold', name)}${spaces} | ${valueText(row[name])}`
        })
      ].join('\n')
    )
    .join('\n')
}

/** On one line, and nothing in it that a terminal would obey. */
export function valueText(value: unknown): string {
  if (value === null || value === undefined) return 'null'
  const text = typeof value === 'object' ? JSON.stringify(value) : String(value)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is replaced
  return text.replace(/\r?\n/g, '↵').replace(/[\u0000-\u001f\u007f-\u009f]/g, '·')
}
