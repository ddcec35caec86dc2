/**
 * Whether an instance is worth trying, learnt from the requests themselves: after some
 * failures in a row it is left alone for a while, then one request finds out. Pure.
 */
export type Circuit =
  | { readonly kind: 'closed'; readonly failures: number }
  | { readonly kind: 'open'; readonly untilMs: number; readonly times: number }
  /** One request is under way to find out; its outcome decides. */
  | { readonly kind: 'probing'; readonly times: number }

export const CLOSED: Circuit = { kind: 'closed', failures: 0 }

const FAILURES_MAX = 3
const OPEN_FIRST_MS = 250
const OPEN_MAX_MS = 4_000

export function admits(circuit: Circuit, nowMs: number): boolean {
  if (circuit.kind === 'closed') return true
  return circuit.kind === 'open' && circuit.untilMs <= nowMs
}

/** An admitted request is sent. */
export function afterSend(circuit: Circuit): Circuit {
  return circuit.kind === 'open' ? { kind: 'probing', times: circuit.times } : circuit
}

/** The request ended without saying anything about the instance: the next one finds out. */
export function afterNothing(circuit: Circuit, nowMs: number): Circuit {
  return circuit.kind === 'probing'
    ? { kind: 'open', untilMs: nowMs, times: circuit.times }
    : circuit
}

export function afterFailure(circuit: Circuit, nowMs: number): Circuit {
  if (circuit.kind === 'open') return circuit // sent before it was opened
  if (circuit.kind === 'closed' && circuit.failures + 1 < FAILURES_MAX) {
    return { kind: 'closed', failures: circuit.failures + 1 }
  }
  const times = circuit.kind === 'probing' ? circuit.times + 1 : 1
  const openMs = Math.min(OPEN_FIRST_MS * 2 ** (times - 1), OPEN_MAX_MS)
  return { kind: 'open', untilMs: nowMs + openMs, times }
}
