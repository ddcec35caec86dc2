/**
 * PostgreSQL's text form of arrays and of rows, written and read, and the binary form of
 * arrays of texts.
 */
import { quoted } from '../../wire/param-text.ts'

export { paramText } from '../../wire/param-text.ts'

/** An array literal of texts. */
export function textArray(values: readonly (string | null)[]): string {
  return `{${values.map(value => (value === null ? 'NULL' : quoted(value))).join(',')}}`
}

const TEXT_OID = 25
/** Dimensions, whether nulls are among them, type; length and lower bound of the one dimension. */
const HEAD_BYTES = 20

/** An array of texts in binary form: nothing has to be quoted here, nor parsed there. */
export function packedTexts(values: readonly (string | null)[]): Buffer {
  const sizes = values.map(value => (value === null ? -1 : Buffer.byteLength(value)))
  const total = sizes.reduce((sum, size) => sum + 4 + Math.max(0, size), HEAD_BYTES)
  const packed = Buffer.allocUnsafe(total)
  let at = packed.writeInt32BE(1, 0)
  at = packed.writeInt32BE(values.includes(null) ? 1 : 0, at)
  at = packed.writeInt32BE(TEXT_OID, at)
  at = packed.writeInt32BE(values.length, at)
  at = packed.writeInt32BE(1, at)
  for (const [i, value] of values.entries()) {
    at = packed.writeInt32BE(sizes[i] as number, at)
    if (value !== null) at += packed.write(value, at)
  }
  return packed
}

/**
 * The fields of a row's text, `(1,"a ""b""",)`: null where nothing stands between
 * the commas.
 */
export function rowFields(row: string): (string | null)[] {
  if (!row.includes('"')) {
    return row
      .slice(1, -1)
      .split(',')
      .map(field => (field === '' ? null : field))
  }
  const fields: (string | null)[] = []
  let at = 1
  while (at <= row.length - 1) {
    const { value, end } = rowField(row, at)
    fields.push(value)
    at = end + 1
  }
  return fields
}

/**
 * One field from `at` on, and where its comma or the closing parenthesis stands. A
 * field is quoted as a whole, or not at all.
 */
function rowField(row: string, at: number): { value: string | null; end: number } {
  if (row[at] !== '"') {
    const comma = row.indexOf(',', at)
    const end = comma === -1 ? row.length - 1 : comma
    return { value: end === at ? null : row.slice(at, end), end }
  }
  let close = row.indexOf('"', at + 1)
  while (row[close + 1] === '"') close = row.indexOf('"', close + 2)
  const value = row.slice(at + 1, close).replace(/""|\\\\/g, pair => pair.slice(1))
  return { value, end: close + 1 }
}
