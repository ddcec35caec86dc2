/**
 * Runs docker and docker-compose, whichever the machine has, against the engine that
 * DOCKER_HOST names, or this machine's own.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { UserError } from '../local/script.ts'
import { loadComposeConfig } from './config.ts'

const SOCKET = '/var/run/docker.sock'
const SCHEME = 'unix://'
const OUTPUT_MAX_BYTES = 16 * 1024 * 1024

export interface Ran {
  readonly ok: boolean
  readonly stdout: string
  readonly stderr: string
}

export interface EngineSocket {
  readonly path: string
  /** That may use it. */
  readonly group: number
}

/** @throws UserError when no engine on this machine answers */
export function engineSocket(): EngineSocket {
  const host = loadComposeConfig().DOCKER_HOST ?? `${SCHEME}${SOCKET}`
  if (!host.startsWith(SCHEME)) {
    throw new UserError(`DOCKER_HOST is ${host}: the stack needs an engine with a socket here`)
  }
  const path = host.slice(SCHEME.length)
  if (!existsSync(path) || !tryDocker('version').ok) {
    throw new UserError(`no Docker engine answers at ${path}: start one, or set DOCKER_HOST`)
  }
  return { path, group: statSync(path).gid }
}

export function tryDocker(...args: string[]): Ran {
  return run('docker', args)
}

/** @returns what it printed @throws UserError with what it said when it failed */
export function docker(...args: string[]): string {
  const ran = tryDocker(...args)
  if (!ran.ok) throw new UserError(`docker ${args.join(' ')} failed:\n${ran.stderr.trim()}`)
  return ran.stdout.trim()
}

/** One word a line, as `docker ps --quiet` prints them. */
export const dockerList = (...args: string[]): string[] =>
  docker(...args)
    .split('\n')
    .filter(line => line !== '')

/** @throws UserError when neither form of it is here */
export function compose(args: readonly string[]): void {
  const [command, ...first] = composeCommand()
  const ran = run(command, [...first, ...args])
  if (!ran.ok) throw new UserError(`docker-compose ${args.at(-1)} failed:\n${ran.stderr.trim()}`)
}

function composeCommand(): [string, ...string[]] {
  if (tryDocker('compose', 'version').ok) return ['docker', 'compose']
  if (run('docker-compose', ['version']).ok) return ['docker-compose']
  throw new UserError("docker-compose is missing: install Debian's package docker-compose")
}

function run(command: string, args: readonly string[]): Ran {
  const { status, stdout, stderr } = spawnSync(command, args, {
    encoding: 'utf8',
    maxBuffer: OUTPUT_MAX_BYTES,
    stdio: ['ignore', 'pipe', 'pipe']
  })
  return { ok: status === 0, stdout: stdout ?? '', stderr: stderr ?? '' }
}
