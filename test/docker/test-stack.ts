/**
 * A stack of a test's own, started and stopped by the scripts that a user would run, on the
 * engine that `npm run test:docker` has made. Nothing of it is left when the test is done.
 */
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { readSettings, settingsFileOf } from '../../compose/settings.ts'
import { Ports } from '../../local/processes/ports.ts'
import { isWhole } from '../../testing/cluster/cluster.ts'
import type { ClusterNow } from '../../testing/cluster/victims.ts'
import { type Answer, type Convoy, call, type Method } from '../../testing/convoy.ts'
import { until } from '../../testing/wait.ts'
import { CHECKOUT } from '../suite.ts'
import { TestEngine } from './engine.ts'

const HEALED_MS = 90_000
const SCRIPT_MS = 240_000

export interface Seen extends ClusterNow {
  readonly supervisor: string | null
  readonly orchestrators: readonly { readonly id: string; readonly http: string }[]
}

/** The engine of this run of tests. */
export function givenEngine(): TestEngine {
  const dir = process.env['CONVOY_TEST_ENGINE']
  if (dir === undefined) throw new Error('run `npm run test:docker`: it brings an engine')
  return new TestEngine(dir)
}

export class TestStack {
  readonly cluster = `test-${randomBytes(3).toString('hex')}`
  readonly engine = givenEngine()

  /** On free ports, from images that are there. */
  async up(): Promise<void> {
    await using ports = new Ports()
    const names = ['CONVOY_LB_PORT', 'CONVOY_ADMIN_PORT', 'CONVOY_ADMIN_PORT_2']
    const known = readSettings(settingsFileOf(this.cluster))
    const chosen = names.map(async name => `${name}=${known[name] ?? (await ports.take())}`)
    const settings = ['CONVOY_ALLOW_CLEAR=true', ...(await Promise.all(chosen))]
    await this.run('up', '--no-build', ...settings.flatMap(text => ['--set', text]))
  }

  /** One of the scripts in compose/. */
  async run(script: 'up' | 'down' | 'update', ...args: string[]): Promise<string> {
    const file = join(CHECKOUT, 'compose', `${script}.ts`)
    const env = { ...process.env, DOCKER_HOST: this.engine.host }
    const options = { env, timeout: SCRIPT_MS }
    const run = promisify(execFile)(
      process.execPath,
      [file, '--cluster', this.cluster, ...args],
      options
    )
    const { stdout } = await run
    return stdout
  }

  /** Of the first orchestrator. */
  get url(): string {
    return this.#at('CONVOY_ADMIN_PORT')
  }

  get url2(): string {
    return this.#at('CONVOY_ADMIN_PORT_2')
  }

  get lb(): string {
    return this.#at('CONVOY_LB_PORT')
  }

  get token(): string {
    return this.#settings['CONVOY_TOKEN'] ?? ''
  }

  /** A guarded call, of the first orchestrator. */
  call(target: `${Method} ${string}`, body?: unknown): Promise<Answer> {
    const [method, path] = target.split(' ', 2) as [Method, string]
    const headers = { authorization: `Bearer ${this.token}` }
    return call(`${method} ${this.url}/api/v1${path}`, { body, headers })
  }

  async now(url = this.url): Promise<Seen> {
    return (await call(`GET ${url}/api/v1/cluster`)).body as Seen
  }

  /** Resolves when `workers` are in sync, none of them a dead process. */
  healed(workers = 3, dead: readonly number[] = []): Promise<Seen> {
    return until(`${workers} workers in sync`, { withinMs: HEALED_MS }, async () => {
      const now = await this.now()
      return isWhole(now, { dead, wanted: workers }) ? now : undefined
    })
  }

  /** kill -9 of what runs in a container of the stack, past the engine. @returns its pid */
  async kill(service: string): Promise<number> {
    const { State } = await this.#container(service).inspect()
    process.kill(State.Pid, 'SIGKILL')
    return State.Pid
  }

  /** For the tests of the contract, which call each instance: all of them ready. */
  async asConvoy(): Promise<Convoy> {
    const originOf = (service: string) =>
      until(`${service} to be ready`, { withinMs: HEALED_MS }, async () => {
        const { NetworkSettings } = await this.#container(service).inspect()
        const [network] = Object.values(NetworkSettings.Networks)
        const origin = `http://${network?.IPAddress}:8080`
        return (await call(`GET ${origin}/readyz`)).status === 200 ? origin : undefined
      })
    const origins = (name: string) => Promise.all([1, 2].map(n => originOf(`${name}-${n}`)))
    const [usersApi, ridesApi] = [await origins('users-api'), await origins('rides-api')]
    return { lb: this.lb, usersApi, ridesApi, token: this.token }
  }

  /** Everything on the engine that belongs to it. */
  async left(): Promise<string[]> {
    const { docker } = this.engine
    const [containers, { Volumes }, networks] = await Promise.all([
      docker.listContainers({ all: true }),
      docker.listVolumes(),
      docker.listNetworks()
    ])
    const names = [...containers.flatMap(({ Names }) => Names), ...Volumes.map(({ Name }) => Name)]
    return [...names, ...networks.map(({ Name }) => Name)].filter(name =>
      name.includes(this.cluster)
    )
  }

  #container(service: string) {
    return this.engine.docker.getContainer(`convoy-${this.cluster}_${service}_1`)
  }

  #at(port: string): string {
    return `http://127.0.0.1:${this.#settings[port]}`
  }

  get #settings() {
    return readSettings(settingsFileOf(this.cluster))
  }
}
