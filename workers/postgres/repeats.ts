/**
 * Which commands of a batch are to be run: not those whose request id has an
 * outcome already, here or by an earlier command of the batch. Pure.
 */
import type { WriteCommand } from '../../wire/requests.ts'
import type { Entry } from '../entry.ts'
import type { Executed, Postponed } from '../store.ts'
import { requestIdReused } from './refusals.ts'

/** What the log holds of a request. */
export interface Known {
  readonly index: number
  readonly term: number
  readonly commandHash: string
  readonly status: number
  readonly result: string
}

export interface Plan {
  /** To be run, in order. */
  readonly fresh: readonly WriteCommand[]
  /** For each command of the batch: an outcome, or its (or its twin's) place in `fresh`. */
  readonly places: readonly (Executed | { readonly fresh: number; readonly first: boolean })[]
}

export function planOf(batch: readonly WriteCommand[], known: ReadonlyMap<string, Known>): Plan {
  const fresh: WriteCommand[] = []
  const placeOf = new Map<string, number>()
  const places = batch.map(command => {
    const outcome = known.get(command.requestId)
    if (outcome !== undefined) return repeatOf(command, outcome)
    const place = placeOf.get(command.requestId)
    if (place === undefined) {
      placeOf.set(command.requestId, fresh.length)
      return { fresh: fresh.push(command) - 1, first: true }
    }
    if (fresh[place]?.commandHash !== command.commandHash) return refused()
    return { fresh: place, first: false }
  })
  return { fresh, places }
}

/** The batch's outcomes, once `fresh` has become `entries`, by place; the others are postponed. */
export const outcomesOf = (
  plan: Plan,
  entries: ReadonlyMap<number, Entry>
): (Executed | Postponed)[] =>
  plan.places.map(place => {
    if ('kind' in place) return place
    const entry = entries.get(place.fresh)
    if (entry === undefined) return { kind: 'postponed' }
    return place.first ? { kind: 'entry', entry } : repeated(entry)
  })

const repeatOf = (command: WriteCommand, outcome: Known): Executed =>
  outcome.commandHash === command.commandHash ? repeated(outcome) : refused()

const repeated = ({ index, term, status, result }: Known): Executed => ({
  kind: 'repeat',
  index,
  term,
  status,
  result
})

function refused(): Executed {
  const { status, body } = requestIdReused()
  return { kind: 'refused', status, result: body }
}
