/**
 * The backstop of schema changes, which are replicated as text: their entry carries what they
 * made of the master's data, and each replica compares before it confirms (apply.ts).
 *
 * What is compared is measured, not guessed from the statements: each object whose definition
 * is another one than before, and the rows of each table that was written anew, or whose rows
 * may show something else.
 */
import type { Change } from '../entry.ts'
import { DivergedError } from '../store.ts'
import { differing, type Item, Items, keyOf, Objects, rowsText } from './comparison.ts'
import { type Master, OwnStepError } from './master.ts'
import type { Outcome, Sink, Step } from './steps.ts'
import { textArray } from './text.ts'

export type CompareChange = Extract<Change, { op: 'compare' }>

/**
 * Of tables whose files a schema change did not touch: more would take longer than the change.
 * What is in the files was equal before, and what is new is in the definitions.
 */
const UNTOUCHED_BYTES_MAX = 64 * 1024 * 1024

const DEFINITIONS = 'select kind, name, digest from convoy.definitions($1)'
const DEFINITIONS_OF = 'select kind, name, digest from convoy.definitions_of($1, $2)'
const SHAPES = 'select name, file, shape, bytes from convoy.table_shapes($1)'

export interface Shape {
  readonly name: string
  /** Other where the table is another one, or was written anew. */
  readonly file: string
  /** Other where its rows may show something else. */
  readonly shape: string
  readonly bytes: number
}

class Shapes implements Sink {
  readonly shapes: Shape[] = []

  fields(): void {}

  row([name, file, shape, bytes]: readonly (string | null)[]): void {
    this.shapes.push({
      name: name ?? '',
      file: file ?? '',
      shape: shape ?? '',
      bytes: Number(bytes)
    })
  }
}

/** The master's part: before the one command of the transaction, and behind it. */
export class SchemaCheck {
  readonly #master: Pick<Master, 'session' | 'secret'>
  readonly #before = new SchemaReading()

  constructor(master: Pick<Master, 'session' | 'secret'>) {
    this.#master = master
  }

  before(): Step[] {
    return this.#before.steps(this.#master.secret)
  }

  /**
   * @returns JSON text of a `Change`
   * @throws OwnStepError when the rows cannot be read, in time or at all: the command fails by it
   */
  async after(): Promise<string> {
    const { session, secret } = this.#master
    const now = new SchemaReading()
    checkRead(await session.connection.run(now.steps(secret)))
    const tables = touchedTables(this.#before.shapes, now.shapes)
    const { steps, found } = rowsSteps(tables)
    if (steps.length > 0) checkRead(await session.connection.run(steps))
    const rows = found.items.map(({ kind, name, rows = null, sum }) => {
      return { kind, name, rows, sum }
    })
    const items = [...rows, ...changedObjects(this.#before.objects, now.objects)]
    return JSON.stringify({ op: 'compare', items } satisfies CompareChange)
  }
}

function checkRead({ error }: Outcome): void {
  if (error !== undefined) throw new OwnStepError(error)
}

/** A reading of the schema within the transaction of a schema change. */
class SchemaReading {
  readonly #shapes = new Shapes()
  readonly #objects = new Objects()

  steps(secret: string): Step[] {
    return [
      { sql: SHAPES, values: [secret], sink: this.#shapes },
      { sql: DEFINITIONS, values: [secret], sink: this.#objects }
    ]
  }

  get shapes(): readonly Shape[] {
    return this.#shapes.shapes
  }

  get objects(): readonly Item[] {
    return this.#objects.items
  }
}

/** The steps that add up `tables`, and what they return. */
function rowsSteps(tables: readonly string[]): { steps: Step[]; found: Items } {
  const found = new Items()
  return { steps: tables.map(name => ({ sql: rowsText(name), sink: found })), found }
}

/** Names of the tables whose rows are to be compared after what led from `before` to `after`. */
export function touchedTables(before: readonly Shape[], after: readonly Shape[]): string[] {
  const known = new Map(before.map(shape => [shape.file, shape.shape]))
  const written = after.filter(({ file }) => !known.has(file))
  const shown = after.filter(({ file, shape }) => known.has(file) && known.get(file) !== shape)
  let left = UNTOUCHED_BYTES_MAX
  const affordable = shown
    .toSorted((a, b) => a.bytes - b.bytes)
    .filter(({ bytes }) => {
      left -= bytes
      return left >= 0
    })
  return [...written, ...affordable].map(({ name }) => name).sort()
}

/** Objects that are other than before, as they are now; `sum` is null where they are gone. */
export function changedObjects(before: readonly Item[], after: readonly Item[]): Item[] {
  const old = new Map(before.map(item => [keyOf(item), item]))
  const changed = after.filter(item => {
    const known = old.get(keyOf(item))
    old.delete(keyOf(item))
    return known?.sum !== item.sum
  })
  return [...changed, ...[...old.values()].map(item => ({ ...item, sum: null }))]
}

/**
 * The replica's part, in the transaction that ran the schema change.
 * @throws DivergedError when it made something else of the data here
 */
export async function compare(
  { items }: CompareChange,
  entry: { index: number; secret: string },
  send: (steps: readonly Step[]) => Promise<void>
): Promise<void> {
  if (items.length === 0) return
  const tables = items.filter(({ kind }) => kind === 'rows')
  const { steps, found } = rowsSteps(tables.map(({ name }) => name))
  const objects = new Objects()
  const named = items.filter(({ kind }) => kind !== 'rows')
  const names = textArray(named.map(({ name }) => name))
  await send([...steps, { sql: DEFINITIONS_OF, values: [entry.secret, names], sink: objects }])
  const sums = new Map(objects.items.map(item => [keyOf(item), item.sum]))
  const here = named.map(item => ({ ...item, sum: sums.get(keyOf(item)) ?? null }))
  const differ = differing([...found.items, ...here], items)
  if (differ.length === 0) return
  throw new DivergedError(`after the schema change of entry ${entry.index}: ${differ.join(', ')}`)
}
