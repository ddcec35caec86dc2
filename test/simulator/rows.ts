/**
 * The database language of the simulation: a row has a key and a text, a statement
 * names one row. A master executes statements; a replica takes the rows they changed.
 */

/** What a statement came to: a status, the row it changed (`key=text`, or nothing), and its result. */
export interface Effected {
  readonly status: number
  readonly changes: string
  readonly result: string
}

export type Rows = Map<string, string>

export const BANK_ACCOUNTS = 4
export const BANK_START = 50
const NEW_BANK = new Array<number>(BANK_ACCOUNTS).fill(BANK_START).join()

/** The text of a row that nobody has written. */
export const emptyRow = (key: string): string => {
  if (key.startsWith('bank')) return NEW_BANK
  return key.startsWith('counter') ? '0' : ''
}

export const readRow = (rows: Rows, key: string): string => rows.get(key) ?? emptyRow(key)

/** Takes its master with it when it is executed. */
export const isPoison = (statement: string): boolean => statement.startsWith('poison ')

/** Does what a statement says, to `rows` too. */
export function execute(rows: Rows, statement: string): Effected {
  const [verb, key = '', ...args] = statement.split(' ')
  const before = readRow(rows, key)
  const after = changed(verb ?? '', before, args)
  if (after === null) return { status: 409, changes: '', result: before }
  rows.set(key, after)
  return { status: 200, changes: `${key}=${after}`, result: after }
}

/** @returns null where the data forbids it */
function changed(verb: string, before: string, args: readonly string[]): string | null {
  const [first = '', second = '', third = ''] = args
  switch (verb) {
    case 'write':
      return first
    case 'swap':
      return before === first ? second : null
    case 'insert':
    case 'append':
      return before === '' ? first : `${before},${first}`
    case 'add':
      return String(Number(before) + Number(first))
    case 'transfer':
      return transferred(before, { from: Number(first), to: Number(second), amount: Number(third) })
    default:
      throw new Error(`no statement: ${verb}`)
  }
}

function transferred(before: string, move: { from: number; to: number; amount: number }) {
  const balances = before.split(',').map(Number)
  const from = (balances[move.from] ?? 0) - move.amount
  if (from < 0) return null
  balances[move.from] = from
  balances[move.to] = (balances[move.to] ?? 0) + move.amount
  return balances.join()
}

/** The row that an entry changed, if any. */
export const keyChanged = (changes: string): string[] =>
  changes === '' ? [] : [changes.slice(0, changes.indexOf('='))]

/** A replica's part. */
export function apply(rows: Rows, changes: string): void {
  if (changes === '') return
  const at = changes.indexOf('=')
  rows.set(changes.slice(0, at), changes.slice(at + 1))
}
