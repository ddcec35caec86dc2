/**
 * Sequential sets: whoever sees an insert sees all that had been acknowledged before
 * it was asked for, those of the same process first of all, at every level of reading.
 */
import type { Change, Read } from './history.ts'
import { countBefore } from './moments.ts'
import type { ObjectCheck } from './objects.ts'
import { elementsOf } from './set.ts'

export const checkSequence: ObjectCheck = ({ changes, reads }) => {
  const inserts = new Map<number, Change>()
  for (const change of changes) {
    if (change.action.do === 'insert') inserts.set(change.action.element, change)
  }
  const acknowledged = [...inserts]
    .filter(([, { outcome }]) => outcome === 'ok')
    .sort(([, a], [, b]) => a.endMs - b.endMs)
  const endsMs = acknowledged.map(([, { endMs }]) => endMs)
  for (const read of reads) {
    const newest = newestOf(read, inserts)
    if (newest === null) continue
    const earlier = acknowledged.slice(0, countBefore(endsMs, newest.beginMs))
    const shown = new Set(elementsOf(read))
    const missing = earlier.find(([element]) => !shown.has(element))
    if (missing === undefined) continue
    const because = 'a read shows an insert, and not one that was there before it was asked for'
    return { law: 'sequential', because, operations: [missing[1], newest, read] }
  }
  return null
}

/** What the read shows and was asked for last. */
function newestOf(read: Read, inserts: ReadonlyMap<number, Change>): Change | null {
  let newest: Change | null = null
  for (const element of elementsOf(read)) {
    const insert = inserts.get(element)
    if (insert === undefined) continue // the law of sets speaks of it
    if (newest === null || insert.beginMs > newest.beginMs) newest = insert
  }
  return newest
}
