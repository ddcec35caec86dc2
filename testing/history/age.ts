/**
 * Ages: the index of a read is at or above every index that anybody was told before
 * its horizon: its begin for a `strong` read, `maxReadAgeMs` earlier for a `replica` read.
 * What the values must show by then is said by the laws of the models.
 */
import {
  type Check,
  type History,
  horizonMs,
  type Operation,
  type Promises,
  type Read
} from './history.ts'

export const checkAges: Check = (history, promises) => {
  for (const { read, newest } of agedReads(history, promises)) {
    const because = `a ${read.consistency} read is at index ${read.index}, too old for its promise`
    return { law: 'age', because, operations: [newest, read] }
  }
  return null
}

/** Reads that are older than promised, each with the newest that anybody had been told by then. */
export function* agedReads(
  history: History,
  promises: Promises
): Generator<{ readonly read: Read; readonly newest: Operation }> {
  const told = history
    .filter(({ outcome, index }) => outcome === 'ok' && index !== null)
    .sort((a, b) => a.endMs - b.endMs)
  const asked = told
    .filter(operation => operation.kind === 'read')
    .map(read => ({ read, horizon: horizonMs(read, promises) }))
    .sort((a, b) => a.horizon - b.horizon)
  let next = 0
  let newest: Operation | null = null
  for (const { read, horizon } of asked) {
    for (let one = told[next]; one !== undefined && one.endMs < horizon; one = told[++next]) {
      if (newest === null || indexOf(one) > indexOf(newest)) newest = one
    }
    if (newest !== null && indexOf(read) < indexOf(newest)) yield { read, newest }
  }
}

const indexOf = ({ index }: Operation): number => index ?? 0
