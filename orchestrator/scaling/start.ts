/**
 * The scaling settings of the environment, which hold until an operator changes them.
 * With several orchestrators all should have the same.
 */
import Type, { type Static } from 'typebox'
import { ConfigError } from '../../platform/config.ts'
import { REPLICAS_LIMIT, ScalingSettings } from './settings.ts'

const { policy, min, max, windowS, readsPerReplica, readsPerS, coolDownS } =
  ScalingSettings.properties

export const SCALING_ENVIRONMENT = {
  CONVOY_REPLICAS: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: REPLICAS_LIMIT,
      description: 'A fixed number of replicas, in place of a policy'
    })
  ),
  CONVOY_REPLICAS_MIN: Type.Integer({
    ...min,
    default: 2,
    description: 'Replicas that a policy keeps at least'
  }),
  CONVOY_REPLICAS_MAX: Type.Integer({
    ...max,
    minimum: 0,
    default: 0,
    description:
      'Replicas that a policy asks for at most. 0 is 5, and under `load` no more than the cores can use'
  }),
  CONVOY_SCALE_POLICY: Type.Enum([...policy.enum], {
    default: 'load',
    description: 'What the number of replicas follows, unless it is fixed'
  }),
  CONVOY_SCALE_WINDOW_S: Type.Integer({
    ...windowS,
    default: 120,
    description: '`window`: its length, in seconds'
  }),
  CONVOY_READS_PER_REPLICA: Type.Integer({
    ...readsPerReplica,
    default: 20,
    description: '`window`: reads in one window that one replica is for'
  }),
  CONVOY_SCALE_READS_PER_S: Type.Integer({
    ...readsPerS,
    default: 1_000,
    description: '`rate`: reads per second that one replica is for'
  }),
  CONVOY_SCALE_COOL_DOWN_S: Type.Integer({
    ...coolDownS,
    default: 60,
    description: '`load`, `rate` and `cpu`: seconds of calm before one replica goes'
  })
}
const DEFAULT_MAX = 5
const Environment = Type.Object(SCALING_ENVIRONMENT)

/** @throws ConfigError for bounds that contradict each other, or would let no write through */
export function startingSettings(
  config: Static<typeof Environment> & { readonly CONVOY_MIN_COPIES: number }
): ScalingSettings {
  const { CONVOY_REPLICAS: count, CONVOY_REPLICAS_MIN: min } = config
  const isMaxChosen = config.CONVOY_REPLICAS_MAX > 0
  const max = isMaxChosen ? config.CONVOY_REPLICAS_MAX : Math.max(min, DEFAULT_MAX)
  const problems = [
    ...(min > max ? ['CONVOY_REPLICAS_MIN must not be above CONVOY_REPLICAS_MAX'] : []),
    ...((count ?? min) + 1 < config.CONVOY_MIN_COPIES
      ? ['with the master there must be CONVOY_MIN_COPIES workers at least']
      : [])
  ]
  if (problems.length > 0) throw new ConfigError(['bad environment:', ...problems].join('\n  '))
  return {
    policy: count === undefined ? config.CONVOY_SCALE_POLICY : 'fixed',
    count: count ?? min,
    ...{ min, max, isMaxChosen },
    windowS: config.CONVOY_SCALE_WINDOW_S,
    readsPerReplica: config.CONVOY_READS_PER_REPLICA,
    readsPerS: config.CONVOY_SCALE_READS_PER_S,
    coolDownS: config.CONVOY_SCALE_COOL_DOWN_S
  }
}
