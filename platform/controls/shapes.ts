/**
 * What an operator may change on running instances, and how they are told. `/config` is
 * the truth; the message on the fanout exchange says only that there is a newer version
 * of it, so nothing is lost with a message.
 */
import Type, { type Static } from 'typebox'
import Value from 'typebox/value'
import { parseNode } from '../../wire/znodes.ts'
import { LOG_LEVELS } from '../config.ts'

export const SERVICES_CONTROLLED = [
  'orchestrator',
  'worker',
  'lb',
  'users-api',
  'rides-api'
] as const
export type ServiceName = (typeof SERVICES_CONTROLLED)[number]

export const LogLevel = Type.Enum([...LOG_LEVELS])
export const Service = Type.Enum([...SERVICES_CONTROLLED])

/** PostgreSQL takes 80 connections, of which a worker needs some for itself. */
export const CONNECTIONS_MAX = 64

/** Of each worker. */
export const WorkerControls = {
  /** Messages of `readQ` that it has in work at once, each a batch of an orchestrator's lane. */
  readsInParallel: Type.Integer({ minimum: 1, maximum: 1_000 }),
  /** PostgreSQL connections that reads share. */
  connections: Type.Integer({ minimum: 1, maximum: CONNECTIONS_MAX })
}

/** Of each lane of an orchestrator. */
export const LaneControls = {
  /** Requests in one message. */
  batch: Type.Integer({ minimum: 1, maximum: 10_000 }),
  /** Messages under way. */
  inFlight: Type.Integer({ minimum: 1, maximum: 64 })
}

const Level = Type.Optional(LogLevel)

export const Controls = Type.Object({
  logLevels: Type.Object({
    orchestrator: Level,
    worker: Level,
    lb: Level,
    'users-api': Level,
    'rides-api': Level
  }),
  workers: Type.Partial(Type.Object(WorkerControls)),
  lanes: Type.Partial(Type.Object(LaneControls)),
  /** Services of frozen instances, by their ids. */
  frozen: Type.Record(Type.String(), Service),
  /** Names of operations. */
  disabled: Type.Array(Type.String()),
  /** Docker engines beside those of the orchestrators' environment. */
  hosts: Type.Array(Type.Object({ name: Type.String(), url: Type.String() }))
})
export type Controls = Static<typeof Controls>

export const NO_CONTROLS: Controls = {
  logLevels: {},
  workers: {},
  lanes: {},
  frozen: {},
  disabled: [],
  hosts: []
}

/** @returns undefined when what is stored is not ours */
export function controlsOf(config: { readonly controls?: unknown } | null): Controls | undefined {
  const controls = { ...NO_CONTROLS, ...(config?.controls as object | undefined) }
  return Value.Check(Controls, controls) ? controls : undefined
}

/** `/instances/<id>`, ephemeral: a process that can be told. */
export interface InstanceNode {
  readonly service: ServiceName
  readonly pid: number
  /** Version of `/config` whose controls it has taken; -1 before the first. */
  readonly version: number
  /** That its routes offer, and that can be disabled. */
  readonly operations: readonly string[]
  /** Address of the server whose `/metrics` tells its figures; none until that listens. */
  readonly metrics?: string
}

/** Fanout: who holds less than `version` reads `/config`, and says so to `replyTo`. */
export interface Nudge {
  readonly version: number
  readonly replyTo: string
}

export interface Acknowledgement {
  readonly id: string
  readonly version: number
}

export const encode = (message: Nudge | Acknowledgement): Buffer =>
  Buffer.from(JSON.stringify(message))

/** Null for what none of ours has sent. */
export function decodeNudge(content: Buffer): Nudge | null {
  const { version, replyTo } = parseNode<Partial<Nudge>>(content.toString()) ?? {}
  return typeof version === 'number' && typeof replyTo === 'string' ? { version, replyTo } : null
}

export function decodeAcknowledgement(content: Buffer): Acknowledgement | null {
  const { id, version } = parseNode<Partial<Acknowledgement>>(content.toString()) ?? {}
  return typeof id === 'string' && typeof version === 'number' ? { id, version } : null
}
