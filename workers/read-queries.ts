/**
 * Reads that run no statement of a caller's: what became of a write, what a statement depends
 * on, where the log ends.
 */
import {
  isOwnedBy,
  type LogEnd,
  type OutcomeQuery,
  type ReadCommand,
  type ReadRequest
} from '../wire/requests.ts'
import type { Loop } from './loop.ts'
import type { ReadResult, Store } from './store.ts'

/** @param at.end of the log when the query was taken */
export function answerQuery(
  query: Exclude<ReadRequest, ReadCommand>,
  at: { readonly loop: Loop; readonly store: Store; readonly end: number }
): Promise<ReadResult> | ReadResult {
  const { loop, store, end } = at
  if ('outcomeOf' in query) return outcomeOf(store, query, end)
  if ('dependenceOf' in query) return store.dependence(query.dependenceOf)
  const told: LogEnd = { index: end, term: loop.view.term, workerId: loop.state.self.id }
  return { applied: end, answer: { status: 200, body: JSON.stringify(told) } }
}

async function outcomeOf(store: Store, query: OutcomeQuery, end: number): Promise<ReadResult> {
  const found = await store.outcome(query.outcomeOf)
  const isTold =
    found !== undefined && (query.owner === undefined || isOwnedBy(found.commandHash, query.owner))
  if (isTold) return { applied: found.index, answer: found.answer }
  const message = 'the log holds no write with this request id so far'
  const body = JSON.stringify({ code: 'CONVOY_UNKNOWN_REQUEST', message })
  return { applied: end, answer: { status: 404, body } }
}

export function unknownIndex(end: number): ReadResult {
  const message = `minIndex is beyond the end of the log, which is ${end}`
  const body = JSON.stringify({ code: 'CONVOY_INDEX_UNKNOWN', message })
  return { applied: 0, answer: { status: 400, body } }
}
