/**
 * Sets of unique elements: nothing lost, nothing doubled, nothing invented, and what
 * was shown does not vanish. All reads are states of one log, so of two of them one
 * holds the other.
 */
import { type Change, horizonMs, type Problem, type Promises, type Read } from './history.ts'
import { mayHaveHappened, type ObjectCheck } from './objects.ts'

/** An element, and since when anybody knows that it is in the set. */
interface Element {
  readonly change: Change
  toldMs: number
}

export const checkSet: ObjectCheck = ({ changes, reads }, promises) => {
  const elements = new Map<number, Element>()
  for (const change of changes) {
    if (change.action.do !== 'insert') continue
    const toldMs = change.outcome === 'ok' ? change.endMs : Number.POSITIVE_INFINITY
    elements.set(change.action.element, { change, toldMs })
  }
  for (const read of reads) {
    const problem = checkElements(read, elements)
    if (problem !== null) return problem
  }
  return checkInclusion(reads) ?? checkSeen(reads, [...elements], promises)
}

export const elementsOf = (read: Read): readonly number[] =>
  Array.isArray(read.value) ? read.value : []

/** Every element shown was asked for before the read ended, once; notes that it is known from then on. */
function checkElements(read: Read, elements: Map<number, Element>): Problem | null {
  const shown = elementsOf(read)
  if (new Set(shown).size < shown.length) return broken('an element is there twice', read)
  for (const element of shown) {
    const known = elements.get(element)
    if (known === undefined) return broken(`element ${element} was never inserted`, read)
    if (!mayHaveHappened(known.change)) {
      return broken(`element ${element} failed for certain and is there`, known.change, read)
    }
    if (known.change.beginMs > read.endMs) {
      return broken(`element ${element} is shown before it was inserted`, known.change, read)
    }
    known.toldMs = Math.min(known.toldMs, read.endMs)
  }
  return null
}

function checkInclusion(reads: readonly Read[]): Problem | null {
  const bySize = [...reads].sort((a, b) => elementsOf(a).length - elementsOf(b).length)
  for (const [i, larger] of bySize.entries()) {
    const smaller = bySize[i - 1]
    if (smaller === undefined) continue
    const held = new Set(elementsOf(larger))
    if (elementsOf(smaller).some(element => !held.has(element))) {
      return broken('each read shows what the other does not', smaller, larger)
    }
  }
  return null
}

/** What was told before a read's horizon is in it. */
function checkSeen(
  reads: readonly Read[],
  elements: readonly (readonly [number, Element])[],
  promises: Promises
): Problem | null {
  const byTold = [...elements].sort(([, a], [, b]) => a.toldMs - b.toldMs)
  for (const read of reads) {
    const horizon = horizonMs(read, promises)
    const shown = new Set(elementsOf(read))
    for (const [element, { change, toldMs }] of byTold) {
      if (toldMs >= horizon) break
      if (!shown.has(element)) return broken(`element ${element} is lost`, change, read)
    }
  }
  return null
}

function broken(because: string, ...operations: Problem['operations']): Problem {
  return { law: 'set', because, operations }
}
