/**
 * Lists that are appended to: each read is the beginning of every longer one, no
 * element is doubled or invented, and the order in the list is an order in time.
 * With `strong` reads that makes the list linearizable: elements and reads have their
 * places in one sequence, and no two stand against the time at which they were asked.
 */
import {
  type Change,
  horizonMs,
  type Operation,
  type Problem,
  type Promises,
  type Read
} from './history.ts'
import { mayHaveHappened, type ObjectCheck } from './objects.ts'
import { elementsOf } from './set.ts'

interface Known {
  /** The longest read: the order of all that anybody has seen. */
  readonly order: readonly number[]
  readonly reads: readonly Read[]
  readonly appends: ReadonlyMap<number, Change>
}

export const checkList: ObjectCheck = ({ changes, reads }, promises) => {
  const appends = new Map<number, Change>()
  for (const change of changes) {
    if (change.action.do === 'append') appends.set(change.action.element, change)
  }
  const [first, ...others] = reads
  if (first === undefined) return null
  const longest = others.reduce(
    (most, read) => (elementsOf(read).length > elementsOf(most).length ? read : most),
    first
  )
  const known: Known = { order: elementsOf(longest), reads, appends }
  return (
    checkBeginnings(reads, longest) ??
    checkElements(longest, appends) ??
    checkTimes(known) ??
    checkSeen(known, promises)
  )
}

function checkBeginnings(reads: readonly Read[], longest: Read): Problem | null {
  const whole = elementsOf(longest)
  for (const read of reads) {
    if (elementsOf(read).some((element, i) => whole[i] !== element)) {
      return broken('one read is not the beginning of the other', read, longest)
    }
  }
  return null
}

function checkElements(longest: Read, appends: ReadonlyMap<number, Change>): Problem | null {
  const whole = elementsOf(longest)
  if (new Set(whole).size < whole.length) return broken('an element is there twice', longest)
  for (const element of whole) {
    const append = appends.get(element)
    if (append === undefined) return broken(`element ${element} was never appended`, longest)
    if (!mayHaveHappened(append)) {
      return broken(`element ${element} failed for certain and is there`, append, longest)
    }
  }
  return null
}

/** Nothing stands behind what began after it was there, and nothing is shown before it was asked for. */
function checkTimes({ order, reads, appends }: Known): Problem | null {
  let newest: Change | null = null
  /** Of the first so many elements, the one that began last. */
  const newestOf: (Change | null)[] = [null]
  for (const element of order) {
    const append = appends.get(element) as Change
    if (newest !== null && append.endMs < newest.beginMs) {
      return broken('an element stands behind one that began after it was there', newest, append)
    }
    if (newest === null || append.beginMs > newest.beginMs) newest = append
    newestOf.push(newest)
  }
  for (const read of reads) {
    const last = newestOf[elementsOf(read).length] ?? null
    if (last !== null && last.beginMs > read.endMs) {
      return broken('an element is shown before it was appended', last, read)
    }
  }
  const seen = new Set(order)
  for (const [element, append] of appends) {
    if (append.outcome !== 'ok' || seen.has(element) || newest === null) continue
    if (append.endMs < newest.beginMs) return broken('an element is lost', append, newest)
  }
  return null
}

/** What was told, by an acknowledgement or by a read, before a read's horizon is in it. */
function checkSeen({ order, reads, appends }: Known, promises: Promises): Problem | null {
  const places = new Map(order.map((element, i) => [element, i + 1]))
  const told: { atMs: number; length: number; by: Operation }[] = []
  for (const read of reads) {
    told.push({ atMs: read.endMs, length: elementsOf(read).length, by: read })
  }
  for (const [element, append] of appends) {
    // What is in no read comes behind all that is.
    const length = places.get(element) ?? order.length + 1
    if (append.outcome === 'ok') told.push({ atMs: append.endMs, length, by: append })
  }
  told.sort((a, b) => a.atMs - b.atMs)
  const asked = reads.map(read => ({ read, horizon: horizonMs(read, promises) }))
  let next = 0
  let most: { length: number; by: Operation } | null = null
  for (const { read, horizon } of asked.sort((a, b) => a.horizon - b.horizon)) {
    for (let one = told[next]; one !== undefined && one.atMs < horizon; one = told[++next]) {
      if (most === null || one.length > most.length) most = one
    }
    if (most !== null && most.length > elementsOf(read).length) {
      return broken('a read does not show what was there before', most.by, read)
    }
  }
  return null
}

function broken(because: string, ...operations: Problem['operations']): Problem {
  return { law: 'list', because, operations }
}
