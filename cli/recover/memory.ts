/**
 * What the orchestrators remember of workers that are gone: where their logs ended when they
 * were seen last. Of help, and no more, for they may be gone too; so whatever keeps one from
 * telling is told itself.
 */
import type { Missing } from '../../orchestrator/stuck.ts'
import type { ClusterNow } from '../cluster.ts'
import type { Orchestrators } from '../orchestrator.ts'
import { CommandError } from '../outcome.ts'
import { compare } from './log-ends.ts'

const ASK_MS = 2_000
const CALL = { method: 'GET', path: '/api/v1/cluster', timeoutMs: ASK_MS } as const

export interface Remembered {
  /** By worker, as the one says who saw most of it. */
  readonly missing: ReadonlyMap<string, Missing>
  /** Why any of them could not be asked. */
  readonly unasked: readonly string[]
}

/** Asks all: each knows only what it saw itself, and one may have started after the loss. */
export async function remembered(all: readonly Orchestrators[]): Promise<Remembered> {
  const missing = new Map<string, Missing>()
  const unasked = all.length === 0 ? ['none is known to run'] : []
  for (const told of await Promise.all(all.map(missingAt))) {
    if (typeof told === 'string') unasked.push(told)
    else for (const one of told) missing.set(one.id, fuller(missing.get(one.id), one))
  }
  return { missing, unasked }
}

function fuller(one: Missing | undefined, other: Missing): Missing {
  if (one === undefined || one.last === null) return other
  return other.last !== null && compare(other.last, one.last) > 0 ? other : one
}

/** @returns the reason where it does not tell */
async function missingAt(orchestrator: Orchestrators): Promise<readonly Missing[] | string> {
  try {
    return (await orchestrator.call<ClusterNow>(CALL)).stuck?.missing ?? []
  } catch (err) {
    if (!(err instanceof CommandError)) throw err
    return [
      `${orchestrator.url}: ${err.message}`,
      ...(err.next === undefined ? [] : [err.next])
    ].join('; ')
  }
}
