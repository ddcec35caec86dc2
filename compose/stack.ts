/**
 * One stack: a compose project, and the containers and volumes of the workers, which its
 * orchestrators make and compose knows nothing of.
 */
import { rmSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { UserError } from '../local/script.ts'
import { compose, docker, dockerList, engineSocket, tryDocker } from './docker.ts'
import { keepSettings, readSettings, type Settings, settingsFileOf } from './settings.ts'

const FILE = fileURLToPath(new URL('compose.yaml', import.meta.url))
const APPLICATION = ['lb', 'users-api-1', 'users-api-2', 'rides-api-1', 'rides-api-2']
const ORCHESTRATORS = ['orchestrator-1', 'orchestrator-2']
const POLL_MS = 200
const PROBE_TIMEOUT_MS = 1_000
/** What a worker takes to stop its database in order, and more. */
const WORKER_STOP_S = 15

export interface Addresses {
  readonly lb: string
  readonly orchestrators: readonly string[]
}

export class Stack {
  readonly cluster: string

  constructor(cluster: string) {
    this.cluster = cluster
  }

  get settingsFile(): string {
    return settingsFileOf(this.cluster)
  }

  /** Makes the settings that are missing. @param given stays set */
  prepare(given: Settings): Settings {
    const socket = engineSocket()
    return keepSettings(this.settingsFile, {
      ...given,
      CONVOY_CLUSTER: this.cluster,
      CONVOY_DOCKER_SOCKET: socket.path,
      CONVOY_DOCKER_GROUP: String(socket.group)
    })
  }

  /** Starts what does not run, and starts anew what has another image or other settings. */
  up(...services: string[]): void {
    this.#compose('up', '--detach', '--no-build', ...services)
  }

  /** In a container of the image as it is now. Returns before it is ready. */
  replace(service: string): void {
    this.#compose('up', '--detach', '--no-build', '--no-deps', '--force-recreate', service)
  }

  isReady(service: string): boolean {
    const [container] = this.#list(service)
    const check = ['node', 'compose/health.mjs', 'http://127.0.0.1:8080/readyz']
    return container !== undefined && tryDocker('exec', container, ...check).ok
  }

  /** @param pid as this machine knows it */
  stopWorker(pid: number): void {
    const workers = this.#workers('ps', '--quiet')
    const format = ['--format', '{{.State.Pid}}']
    const worker = workers.find(id => docker('inspect', ...format, id) === String(pid))
    if (worker !== undefined) docker('stop', '--time', String(WORKER_STOP_S), worker)
  }

  get addresses(): Addresses {
    const settings = readSettings(this.settingsFile)
    const at = (port: string) => `http://${settings['CONVOY_PUBLISH']}:${settings[port]}`
    return {
      lb: at('CONVOY_LB_PORT'),
      orchestrators: [at('CONVOY_ADMIN_PORT'), at('CONVOY_ADMIN_PORT_2')]
    }
  }

  /** @throws UserError naming what is not ready in time, and why */
  async untilReady(withinMs: number): Promise<void> {
    const untilMs = performance.now() + withinMs
    const { lb, orchestrators } = this.addresses
    for (const url of [...orchestrators, lb]) {
      let missing = await missingAt(url)
      while (missing !== null) {
        if (performance.now() > untilMs) {
          throw new UserError(
            `${url} is not ready: ${missing}\nSee docker logs, and docker ps --all.`
          )
        }
        await sleep(POLL_MS)
        missing = await missingAt(url)
      }
    }
  }

  /** In the order of requests, so that none is cut off; the workers' data stays. */
  down(): void {
    this.#compose('stop', ...APPLICATION)
    this.#compose('stop', ...ORCHESTRATORS)
    const running = this.#workers('ps', '--quiet')
    if (running.length > 0) docker('stop', '--time', String(WORKER_STOP_S), ...running)
    const workers = this.#workers('ps', '--quiet', '--all')
    if (workers.length > 0) docker('rm', '--force', ...workers)
    this.#compose('down', '--remove-orphans')
  }

  /** All volumes and secrets. Nothing of the stack may run. */
  removeData(): void {
    this.#compose('down', '--volumes')
    const volumes = this.#workers('volume', 'ls', '--quiet')
    if (volumes.length > 0) docker('volume', 'rm', ...volumes)
    rmSync(this.settingsFile, { force: true })
  }

  /** Containers of a service. */
  #list(service: string): string[] {
    const project = ['--filter', `label=com.docker.compose.project=convoy-${this.cluster}`]
    const named = ['--filter', `label=com.docker.compose.service=${service}`]
    return dockerList('ps', '--quiet', ...project, ...named)
  }

  #workers(...list: string[]): string[] {
    return dockerList(...list, '--filter', `label=convoy.cluster=${this.cluster}`)
  }

  #compose(...args: string[]): void {
    const project = ['--project-name', `convoy-${this.cluster}`, '--file', FILE]
    compose([...project, '--env-file', this.settingsFile, ...args])
  }
}

/** Null when it is ready. */
async function missingAt(url: string): Promise<string | null> {
  try {
    const reply = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) })
    const text = await reply.text()
    return reply.status === 200 ? null : text
  } catch (err) {
    return String(err)
  }
}
