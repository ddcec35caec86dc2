/**
 * What the policies go by and what they came to, as it stands in `/scaling`.
 */
import Type, { type Static } from 'typebox'
import Value from 'typebox/value'
import { parseNode } from '../../wire/znodes.ts'
import { ScalingSettings } from './settings.ts'

const { policy } = ScalingSettings.properties

const Decision = Type.Object({
  at: Type.String(),
  policy,
  from: Type.Integer(),
  to: Type.Integer(),
  reason: Type.String()
})

const Span = Type.Object({
  /** Null while nothing has begun: a window begins with its first read. */
  sinceMs: Type.Union([Type.Number(), Type.Null()]),
  reads: Type.Integer(),
  /** Sum over `samples` of the mean CPU of all replicas, each in percent of one core. */
  cpuPercent: Type.Number(),
  /** Sums over `samples` as well, for `load`. */
  readLoadPercent: Type.Number({ default: 0 }),
  idleCores: Type.Number({ default: 0 }),
  samples: Type.Integer()
})

export const ScalingState = Type.Object({
  /** Replicas, the master not counted. */
  wanted: Type.Integer(),
  /** The last one, also when it was to leave the number as it is. */
  decision: Decision,
  policy,
  /** What was seen since the last decision. */
  span: Span,
  seenAtMs: Type.Number(),
  /** When `wanted` changed last. */
  changedAtMs: Type.Number(),
  /** Since when the load would have let one replica go. */
  calmSinceMs: Type.Number({ default: 0 }),
  /** Reads counted so far of each orchestrator. */
  counted: Type.Record(Type.String(), Type.Integer())
})

export type Decision = Readonly<Static<typeof Decision>>
export type Span = Readonly<Static<typeof Span>>
export type ScalingState = Readonly<Static<typeof ScalingState>>

/** Null for what is not ours: deciding begins anew then. */
export function parseState(data: string): ScalingState | null {
  // What an earlier version stored lacks what has a default.
  const state = Value.Default(ScalingState, parseNode<unknown>(data))
  return Value.Check(ScalingState, state) ? state : null
}
