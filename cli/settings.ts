/**
 * The settings that can be changed on a running cluster, by name: where each is found,
 * and which call changes it. What was not changed is that of the environment. Pure.
 */
import type { ClusterNow } from './cluster.ts'
import { wantedOf } from './commands/scale.ts'
import type { Controls } from './controls.ts'
import type { Call } from './orchestrator.ts'
import { UsageError } from './outcome.ts'

export interface Present {
  readonly cluster: Pick<ClusterNow, 'replicas' | 'policy'>
  readonly controls: Controls
}

export interface Setting {
  readonly key: string
  readonly describe: string
  /** Null where nothing was changed. */
  readonly value: (present: Present) => string | number | null
  readonly change: (value: string, present: Present) => Call
}

const SERVICES = ['orchestrator', 'worker', 'lb', 'users-api', 'rides-api'] as const
const LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']
/** Back to what the environment says. */
export const DEFAULT = 'default'

const put = (path: string, body: object): Call => ({ method: 'PUT', path: `/api/v1/${path}`, body })

const wholeOf = (key: string, text: string): number => {
  if (/^\d{1,9}$/.test(text)) return Number(text)
  throw new UsageError(`${key} is a whole number, not "${text}"`)
}

const logLevels: readonly Setting[] = SERVICES.map(service => ({
  key: `log.${service}`,
  describe: 'log level',
  value: ({ controls }) => controls.logLevels[service] ?? null,
  change: value => {
    if (value !== DEFAULT && !LEVELS.includes(value)) {
      throw new UsageError(`a log level is one of ${LEVELS.join(', ')}`)
    }
    return put('controls/log', { service, level: value === DEFAULT ? null : value })
  }
}))

const numberOf = (part: 'workers' | 'lanes', name: string, describe: string): Setting => ({
  key: `${part}.${name}`,
  describe,
  value: ({ controls }) => (controls[part] as Readonly<Record<string, number>>)[name] ?? null,
  change: value =>
    put(`controls/${part}`, {
      [name]: value === DEFAULT ? null : wholeOf(`${part}.${name}`, value)
    })
})

const policyNumber = (
  name: 'windowS' | 'readsPerReplica' | 'readsPerS' | 'coolDownS',
  describe: string
): Setting => ({
  key: `policy.${name}`,
  describe,
  value: ({ cluster }) => cluster.policy[name],
  change: (value, { cluster }) =>
    put('cluster/policy', { kind: cluster.policy.kind, [name]: wholeOf(`policy.${name}`, value) })
})

export const SETTINGS: readonly Setting[] = [
  {
    key: 'replicas',
    describe: 'a fixed number, or bounds for the policy (2..5)',
    value: ({ cluster: { replicas } }) => replicas.count ?? `${replicas.min}..${replicas.max}`,
    change: value => put('cluster/replicas', wantedOf(value))
  },
  {
    key: 'policy',
    describe: 'window, rate, cpu or fixed',
    value: ({ cluster }) => cluster.policy.kind,
    change: value => put('cluster/policy', { kind: value })
  },
  policyNumber('windowS', 'window: seconds in which reads are counted'),
  policyNumber('readsPerReplica', 'window: reads in it that one replica is for'),
  policyNumber('readsPerS', 'rate: reads/s that one replica is for'),
  policyNumber('coolDownS', 'load, rate, cpu: seconds of calm before one replica goes'),
  ...logLevels,
  numberOf('workers', 'readsInParallel', 'reads at once, of each worker'),
  numberOf('workers', 'connections', 'PostgreSQL connections of each worker'),
  numberOf('lanes', 'batch', 'requests in one message'),
  numberOf('lanes', 'inFlight', 'batches of a lane on their way at once')
]

/** @throws UsageError */
export function settingOf(key: string): Setting {
  const found = SETTINGS.find(setting => setting.key === key)
  if (found !== undefined) return found
  throw new UsageError(`there is no setting "${key}"`, '`convoy config list` names all of them')
}
