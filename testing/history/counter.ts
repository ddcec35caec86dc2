/**
 * Counters that only grow: a read lies between what had been acknowledged before it
 * and what had been asked for until its end, and no `strong` read is below an earlier one.
 */
import { type Change, horizonMs, type Problem, type Promises, type Read } from './history.ts'
import { countBefore, countUpTo } from './moments.ts'
import { type HistoryOf, mayHaveHappened, type ObjectCheck } from './objects.ts'

export const checkCounter: ObjectCheck = (object, promises) =>
  checkBounds(object, promises) ?? checkGrowth(object.reads)

const amountOf = ({ action }: Change): number => (action.do === 'add' ? action.amount : 0)

const countOf = (read: Read): number => (typeof read.value === 'number' ? read.value : Number.NaN)

function checkBounds({ changes, reads }: HistoryOf, promises: Promises): Problem | null {
  const acknowledged = changes.filter(({ outcome }) => outcome === 'ok')
  const least = sums(acknowledged, ({ endMs }) => endMs)
  const most = sums(changes.filter(mayHaveHappened), ({ beginMs }) => beginMs)
  for (const read of reads) {
    const low = least.of(countBefore(least.timesMs, horizonMs(read, promises)))
    const high = most.of(countUpTo(most.timesMs, read.endMs))
    const value = countOf(read)
    if (value >= low && value <= high) continue
    const because = `${value} is not between ${low} acknowledged and ${high} possible`
    return { law: 'counter', because, operations: [read] }
  }
  return null
}

/** Sums of the first so many changes, in the order of `when`. */
function sums(changes: readonly Change[], when: (change: Change) => number) {
  const sorted = [...changes].sort((a, b) => when(a) - when(b))
  const totals = [0]
  for (const [i, change] of sorted.entries()) totals.push((totals[i] ?? 0) + amountOf(change))
  return { timesMs: sorted.map(when), of: (count: number): number => totals[count] ?? 0 }
}

/** The highest that was told before a strong read began is its least. */
function checkGrowth(reads: readonly Read[]): Problem | null {
  const byEnd = [...reads].sort((a, b) => a.endMs - b.endMs)
  let next = 0
  let highest: Read | null = null
  for (const read of reads) {
    for (let one = byEnd[next]; one !== undefined && one.endMs < read.beginMs; ) {
      if (highest === null || countOf(one) > countOf(highest)) highest = one
      one = byEnd[++next]
    }
    if (read.consistency !== 'strong' || highest === null) continue
    if (countOf(highest) > countOf(read)) {
      const because = 'a strong read is below an earlier read'
      return { law: 'counter', because, operations: [highest, read] }
    }
  }
  return null
}
