/**
 * Convoy's own processes as the watcher starts them: each with nothing in its
 * environment but what it needs, ready when its `/readyz` says so.
 */
import { fileURLToPath } from 'node:url'
import { NODE_ARGS, NODE_OPTIONS } from '../../platform/node-options.ts'
import { SYSTEM_PATH } from '../machine/software.ts'
import type { ProcessSpec } from '../processes/watched.ts'

export const PROGRAMS = ['orchestrator', 'users-api', 'rides-api', 'lb'] as const
export type Program = (typeof PROGRAMS)[number]

/** Of the orchestrators the first. */
export type Addresses = Readonly<Record<Program, string>>

/** One process of a program. */
export interface Instance {
  readonly name: string
  readonly program: Program
  readonly port: number
}

/** Together with RabbitMQ's and ZooKeeper's, less than the 10 s that a stop may take. */
const GRACE_MS: Readonly<Record<Program, number>> = {
  orchestrator: 6_500, // It stops the workers, the master last.
  'users-api': 1_000,
  'rides-api': 1_000,
  lb: 1_000
}
const PROBE_TIMEOUT_MS = 1_000
/** Its SQL parser is never worth optimising (parser.ts), nor is what strips types at the first start: 12 MB. */
const MORE_ARGS: Partial<Record<Program, readonly string[]>> = { orchestrator: ['--liftoff-only'] }
/** Without it each process takes 19 MB more to strip types, and a quarter of a second of CPU. */
export const COMPILED = fileURLToPath(new URL('../../node_modules/.cache/convoy', import.meta.url))

type Settings = Readonly<Record<string, string>>

/** @param settings as the program gets them */
export const addressOf = ({ port }: Instance, settings: Settings): string =>
  `${settings['CONVOY_TLS_CERT'] === undefined ? 'http' : 'https'}://127.0.0.1:${port}`

export function programSpec(instance: Instance, settings: Settings): ProcessSpec {
  const { name, program, port } = instance
  return {
    name,
    command: process.execPath,
    args: [
      ...NODE_ARGS,
      ...(MORE_ARGS[program] ?? []),
      fileURLToPath(new URL(`../../${program}/main.ts`, import.meta.url))
    ],
    env: {
      PATH: SYSTEM_PATH,
      LANG: 'C.UTF-8',
      NODE_COMPILE_CACHE: COMPILED,
      NODE_OPTIONS,
      ...settings,
      CONVOY_HTTP_HOST: '127.0.0.1',
      CONVOY_HTTP_PORT: String(port)
    },
    deathSignal: 'TERM',
    graceMs: GRACE_MS[program],
    ready: () => isReady(`${addressOf(instance, settings)}/readyz`)
  }
}

async function isReady(url: string): Promise<boolean> {
  try {
    const reply = await fetch(url, { signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) })
    await reply.body?.cancel()
    return reply.status === 200
  } catch {
    return false
  }
}
