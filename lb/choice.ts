/**
 * Which instance takes a request: of two drawn at random the one with less under way.
 * That spreads load about as well as looking at all of them, and does not send every
 * request of an instant to the same idle one. Pure.
 */
import { admits, type Circuit } from './circuit.ts'

export interface Candidate {
  /** Requests under way. */
  readonly busy: number
  readonly circuit: Circuit
}

/**
 * @param avoid the one that has just failed this request: taken only when it is alone
 * @returns undefined when no circuit admits a request
 */
export function choose<C extends Candidate>(
  candidates: readonly C[],
  options: {
    readonly nowMs: number
    readonly avoid?: C | undefined
    readonly random?: () => number
  }
): C | undefined {
  const { nowMs, avoid, random = Math.random } = options
  const admitted = candidates.filter(one => admits(one.circuit, nowMs))
  const others = admitted.filter(one => one !== avoid)
  const [only, second] = others
  if (second === undefined) return only ?? admitted[0]
  const first = Math.floor(random() * others.length)
  // Another than the first: each of the rest is as likely.
  const next = (first + 1 + Math.floor(random() * (others.length - 1))) % others.length
  const a = others[first] as C
  const b = others[next] as C
  return b.busy < a.busy ? b : a
}
