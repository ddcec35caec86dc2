/**
 * Convoy's own processes as the watcher starts them: each with nothing in its
 * environment but what it needs, ready when its `/readyz` says so.
 */
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { NODE_ARGS, NODE_OPTIONS } from '../platform/node-options.ts'
import { SYSTEM_PATH } from './install/software.ts'
import type { ProcessSpec } from './processes/watched.ts'

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
/** Without it each process takes 12 to 19 MB more to strip types, and a quarter of a second of CPU. */
export const COMPILED = fileURLToPath(new URL('../node_modules/.cache/convoy', import.meta.url))
const COMPILED_ONCE = join(COMPILED, 'programs')
const COMPILED_WITHIN_MS = 20_000

type Settings = Readonly<Record<string, string>>

/** @param settings as the program gets them */
export const addressOf = ({ port }: Instance, settings: Settings): string =>
  `${settings['CONVOY_TLS_CERT'] === undefined ? 'http' : 'https'}://127.0.0.1:${port}`

const argsOf = (program: Program): string[] => [
  ...NODE_ARGS,
  ...(MORE_ARGS[program] ?? []),
  fileURLToPath(new URL(`../${program}/main.ts`, import.meta.url))
]

const ENV = { PATH: SYSTEM_PATH, LANG: 'C.UTF-8', NODE_COMPILE_CACHE: COMPILED, NODE_OPTIONS }

/**
 * In a new checkout: has each program compiled by a process that does not stay. It loads all of it,
 * and ends for want of settings.
 */
export async function compileOnce(): Promise<void> {
  if (existsSync(COMPILED_ONCE)) return
  const compile = (program: Program) =>
    new Promise<void>(resolve => {
      const options = { env: ENV, timeout: COMPILED_WITHIN_MS }
      execFile(process.execPath, argsOf(program), options, () => resolve())
    })
  await Promise.all(PROGRAMS.map(compile))
  try {
    mkdirSync(COMPILED, { recursive: true })
    writeFileSync(COMPILED_ONCE, '')
  } catch {
    // A checkout that may not be written keeps nothing; it runs as well.
  }
}

export function programSpec(instance: Instance, settings: Settings): ProcessSpec {
  const { name, program, port } = instance
  return {
    name,
    command: process.execPath,
    args: argsOf(program),
    env: {
      ...ENV,
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
