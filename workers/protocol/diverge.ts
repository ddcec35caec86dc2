/**
 * A worker whose log or rows are not the cluster's confirms and serves nothing, and says
 * so. Keeps NAMED (state.ts): its data stays while `/state` names it.
 */
import { mayHoldGivenUp } from '../../wire/znodes.ts'
import type { Divergence, State, Step } from './state.ts'
import { isNamed, stay, step } from './steps.ts'

const TROUBLES: Readonly<Record<Divergence, string>> = {
  log: 'its log holds entries that the cluster does not have',
  rows: 'its rows are not those that the log speaks of',
  pruned: "it is so far behind that the master's log does not reach back to it"
}

/** @param found what exactly differs, in words for an operator */
export function diverge(
  state: State,
  kind: Divergence,
  { nowMs, found }: { nowMs: number; found?: string }
): Step {
  const trouble = found === undefined ? TROUBLES[kind] : `${TROUBLES[kind]}: ${found}`
  return stay({ ...state, diverged: { kind, sinceMs: nowMs, trouble } })
}

/**
 * An operator decides what becomes of the entries that a recovery gave up. Whoever has followed a
 * master since then has none of them: its log ends in a later term.
 */
export const isKept = ({ diverged, known, last }: State): boolean =>
  diverged?.kind === 'log' && known !== null && mayHoldGivenUp(known.state, last.term)

/**
 * NAMED: data goes only when `/state`, read after the divergence, does not name it,
 * and so long after it that no request of its to be added can be open.
 */
export function startOver(state: State, nowMs: number): Step {
  const { diverged, known, settings } = state
  if (diverged === null || known === null || isNamed(state) || isKept(state)) return stay(state)
  const waitedMs = nowMs - diverged.sinceMs
  if (known.beganMs <= diverged.sinceMs || waitedMs < settings.replicaTimeoutMs) return stay(state)
  return step(state, { do: 'startOver', why: diverged.kind })
}
