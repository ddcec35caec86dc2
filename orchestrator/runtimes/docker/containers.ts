/**
 * What a worker's container is: a name and labels by which every orchestrator finds it
 * again, a volume that outlives it, limits, and nothing of the machine within its reach.
 * A container lives as long as one process: each start makes a new one, from the
 * image and with the settings of that day.
 */
import { randomBytes } from 'node:crypto'
import type { ContainerCreateOptions } from 'dockerode'

/** Where a worker has its volume. */
export const WORKER_DIR = '/var/lib/convoy'
const LABEL = { cluster: 'convoy.cluster', place: 'convoy.place', life: 'convoy.life' } as const
const MIB = 1024 * 1024
const CPU_PERIOD_US = 100_000
const PIDS_MAX = 512
/** A joining worker may copy for long, but it answers from its first second on. */
const HEALTH = { intervalS: 10, timeoutS: 3, startPeriodS: 5, retries: 3 }
const NS_PER_S = 1_000_000_000

export interface DockerSettings {
  readonly cluster: string
  readonly image: string
  /** A network of the engine's, or `host`. */
  readonly network: string
  readonly memoryMiB: number
  readonly cpus: number
  /** What the workers are told. */
  readonly environment: Readonly<Record<string, string>>
}

export const HOST_NETWORK = 'host'

/** Of containers and volumes alike. */
export const nameOf = ({ cluster }: DockerSettings, place: string): string =>
  `convoy-${cluster}-${place}`

export const ownLabels = ({ cluster }: DockerSettings): string[] => [`${LABEL.cluster}=${cluster}`]

export const placeOf = (labels: Readonly<Record<string, string>> | undefined): string | null =>
  labels?.[LABEL.place] ?? null

export const placeLabels = (settings: DockerSettings, place: string): string[] => [
  ...ownLabels(settings),
  `${LABEL.place}=${place}`
]

export const lifeOf = (labels: Readonly<Record<string, string>>): string => labels[LABEL.life] ?? ''

export const newLife = (): string => randomBytes(8).toString('hex')

export function containerOptions(
  settings: DockerSettings,
  one: {
    readonly place: string
    /** New at each start; by it the worker knows that it is meant. */
    readonly life: string
    /** Where other machines reach this engine's, for workers in the host's network. */
    readonly address: string | null
  }
): ContainerCreateOptions {
  const name = nameOf(settings, one.place)
  const ofPlace = { [LABEL.cluster]: settings.cluster, [LABEL.place]: one.place }
  const onHost = settings.network === HOST_NETWORK
  const host = onHost ? one.address : name
  const environment = {
    ...settings.environment,
    ...(host === null ? {} : { CONVOY_WORKER_HOST: host }),
    CONVOY_WORKER_DIR: WORKER_DIR,
    CONVOY_LIFE: one.life
  }
  return {
    name,
    Image: settings.image,
    ...(onHost ? {} : { Hostname: name }),
    Labels: { ...ofPlace, [LABEL.life]: one.life },
    Env: Object.entries(environment).map(([key, value]) => `${key}=${value}`),
    Healthcheck: {
      Test: ['CMD', 'node', 'compose/health.mjs', `unix:${WORKER_DIR}/alive.sock`],
      Interval: HEALTH.intervalS * NS_PER_S,
      Timeout: HEALTH.timeoutS * NS_PER_S,
      StartPeriod: HEALTH.startPeriodS * NS_PER_S,
      Retries: HEALTH.retries
    },
    HostConfig: {
      NetworkMode: settings.network,
      // The engine makes it together with the container: no start that fails leaves one behind.
      Mounts: [
        {
          Type: 'volume',
          Source: name,
          Target: WORKER_DIR,
          VolumeOptions: {
            NoCopy: false,
            Labels: ofPlace,
            DriverConfig: { Name: 'local', Options: {} }
          }
        }
      ],
      // The supervisor starts it again, or another in its place; nobody else may.
      RestartPolicy: { Name: 'no' },
      LogConfig: { Type: 'json-file', Config: { 'max-size': '10m', 'max-file': '3' } },
      Memory: settings.memoryMiB * MIB,
      MemorySwap: settings.memoryMiB * MIB,
      CpuPeriod: CPU_PERIOD_US,
      CpuQuota: Math.round(settings.cpus * CPU_PERIOD_US),
      PidsLimit: PIDS_MAX,
      ReadonlyRootfs: true,
      Tmpfs: { '/tmp': 'size=64m' },
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges']
    }
  }
}
