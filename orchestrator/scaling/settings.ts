/**
 * How many replicas an operator wants: what a cluster starts with (the environment),
 * and what was changed since through the API, which wins and lives in `/config`.
 */
import Type, { type Static } from 'typebox'
import Value from 'typebox/value'
import type { Controls } from '../../platform/controls/shapes.ts'
import { InvalidRequestError } from '../../wire/errors.ts'

export const POLICIES = ['load', 'window', 'rate', 'cpu', 'fixed'] as const

/** More workers than anybody has run on a broker and a ZooKeeper of one machine each. */
export const REPLICAS_LIMIT = 50

const Replicas = Type.Integer({ minimum: 1, maximum: REPLICAS_LIMIT })
const Seconds = Type.Integer({ minimum: 1, maximum: 86_400 })
const Reads = Type.Integer({ minimum: 1, maximum: 1_000_000 })

export const ScalingSettings = Type.Object({
  policy: Type.Enum([...POLICIES]),
  /** Replicas under `fixed`; the bounds are those of the other policies. */
  count: Type.Integer({ minimum: 0, maximum: REPLICAS_LIMIT }),
  min: Replicas,
  max: Replicas,
  /** Whether somebody chose `max`: `load` keeps within the cores of the machine otherwise. */
  isMaxChosen: Type.Boolean(),
  /** `window`: its length, and the reads in it that one replica is for. */
  windowS: Seconds,
  readsPerReplica: Reads,
  /** `rate`: reads per second that one replica is for. */
  readsPerS: Reads,
  /** `load`, `rate`, `cpu`: how long it must be calm before one replica goes. */
  coolDownS: Seconds
})
export type ScalingSettings = Readonly<Static<typeof ScalingSettings>>
export type PolicyKind = ScalingSettings['policy']

export const ScalingChange = Type.Partial(ScalingSettings)
export type ScalingChange = Readonly<Static<typeof ScalingChange>>

/** `/config`. */
export interface Config {
  readonly scaling?: ScalingChange
  readonly controls?: Controls
}

/** @returns undefined when what is stored is not ours, or contradicts itself */
export function changed(start: ScalingSettings, change: unknown): ScalingSettings | undefined {
  if (!Value.Check(ScalingChange, change)) return undefined
  const isMaxChosen = start.isMaxChosen || change.max !== undefined
  const settings = { ...start, ...change, isMaxChosen }
  return settings.min <= settings.max ? settings : undefined
}

export const ReplicasBody = Type.Object(
  {
    count: Type.Optional(Replicas),
    min: Type.Optional(Replicas),
    max: Type.Optional(Replicas)
  },
  {
    additionalProperties: false,
    description: 'Either a fixed count, or bounds for the policy',
    examples: [{ count: 3 }, { min: 2, max: 5 }]
  }
)

export const PolicyBody = Type.Object(
  {
    kind: ScalingSettings.properties.policy,
    windowS: Type.Optional(Seconds),
    readsPerReplica: Type.Optional(Reads),
    readsPerS: Type.Optional(Reads),
    coolDownS: Type.Optional(Seconds)
  },
  {
    additionalProperties: false,
    description: 'Numbers that are left out stay as they are',
    examples: [{ kind: 'window', windowS: 120, readsPerReplica: 20 }]
  }
)

/** @throws InvalidRequestError for what contradicts itself, or would let no write through */
export function replicasChange(
  { count, min, max }: Static<typeof ReplicasBody>,
  minCopies: number
): ScalingChange {
  if (count !== undefined && min === undefined && max === undefined) {
    return checked({ policy: 'fixed', count }, { least: count, minCopies })
  }
  if (count !== undefined || min === undefined || max === undefined) {
    throw new InvalidRequestError('give either count, or min and max')
  }
  if (min > max) throw new InvalidRequestError('min must not be above max')
  return checked({ min, max }, { least: min, minCopies })
}

function checked(
  change: ScalingChange,
  { least, minCopies }: { least: number; minCopies: number }
): ScalingChange {
  if (least + 1 >= minCopies) return change
  throw new InvalidRequestError(
    `a write needs ${minCopies} copies: at least ${minCopies - 1} replicas`
  )
}

/** @param wanted replicas wanted now: those are kept when the policy becomes `fixed` */
export function policyChange(
  { kind, ...numbers }: Static<typeof PolicyBody>,
  wanted: number
): ScalingChange {
  return { policy: kind, ...numbers, ...(kind === 'fixed' && { count: wanted }) }
}
