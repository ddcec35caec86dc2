/**
 * What a message of `sync` says to one who only listens: which tables its entries
 * changed. Rows are passed over as bytes. Within JSON text an unescaped `"op":"` stands
 * at the begin of a change and nowhere else, whatever the rows hold.
 */
import { decodeFrame } from '../../wire/frame.ts'
import type { Append } from '../../workers/protocol/messages.ts'
import type { Changed, News } from './heard.ts'

const OP = Buffer.from('"op":"')
const TABLE = '","table":"'
const QUOTE = 0x22
const ROW_CHANGES = new Set(['insert', 'update', 'delete', 'truncate'])

/** Null for what is no such message. */
export function newsIn(content: Buffer): News | null {
  const frame = readFrame(content)
  if (frame === null) return null
  const message = frame.header as Append
  if (message.kind !== 'append') return null
  const entries = message.entries.map(({ index }, i) => {
    return { index, tables: changedIn(frame.parts[2 * i] ?? Buffer.alloc(0)) }
  })
  const { term, from: master, prev, commitIndex } = message
  return { term, master, prev: prev.index, commitIndex, entries }
}

/** @param changes JSON text of an entry's `Change[]` */
export function changedIn(changes: Buffer): Changed['tables'] {
  const tables: string[] = []
  let at = changes.indexOf(OP)
  while (at !== -1) {
    const from = at + OP.length
    const end = changes.indexOf(QUOTE, from)
    const op = changes.toString('latin1', from, end)
    at = changes.indexOf(OP, end)
    // No answer that is kept shows a sequence, and a verification changes nothing.
    if (op === 'sequence' || op === 'verify') continue
    if (!ROW_CHANGES.has(op)) return 'all'
    if (changes.toString('latin1', end, end + TABLE.length) !== TABLE) return 'all'
    const name = textAt(changes, end + TABLE.length)
    if (!tables.includes(name)) tables.push(name)
  }
  return tables
}

/** The JSON string whose first character is at `from`. */
function textAt(changes: Buffer, from: number): string {
  let end = changes.indexOf(QUOTE, from)
  while (changes[end - 1] === 0x5c && isEscaped(changes, end)) end = changes.indexOf(QUOTE, end + 1)
  const text = changes.toString('utf8', from, end)
  return text.includes('\\') ? (JSON.parse(`"${text}"`) as string) : text
}

/** Whether an odd number of `\` stands before `at`. */
function isEscaped(changes: Buffer, at: number): boolean {
  let first = at
  while (changes[first - 1] === 0x5c) first -= 1
  return (at - first) % 2 === 1
}

function readFrame(content: Buffer): ReturnType<typeof decodeFrame> | null {
  try {
    return decodeFrame(content)
  } catch {
    return null
  }
}
