/**
 * A whole system of a test's own, and what may happen to it: a fault is one line
 * (`await cluster.kill('master')`, `await cluster.cut('replica', 'rabbitmq')`; all of
 * them in faults.ts). Nothing of it is left when it is disposed of.
 */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { type Convoy, startConvoy } from '../../local/convoy.ts'
import { type Folder, openFolder } from '../../local/folder.ts'
import { findSoftware } from '../../local/install/software.ts'
import { bearerOf } from '../../local/tokens.ts'
import { call } from '../convoy.ts'
import type { Clocks } from '../faults/clocks.ts'
import { Network } from '../faults/network.ts'
import { until } from '../wait.ts'
import { Faults } from './faults.ts'
import type { ClusterNow } from './victims.ts'

export {
  type ClusterNow,
  type Place,
  placeAt,
  placesOf,
  postmasterOf,
  type Victim
} from './victims.ts'

const READY_MS = 60_000
const HEALED_MS = 40_000

export interface ClusterOptions {
  /** The master included. */
  readonly workers?: number
  /** 1 unless told. */
  readonly orchestrators?: number
  /** Whether all goes through proxies, for `cut`, `slow`, `reset` and `expire`. */
  readonly network?: boolean
  /** Whether all is said over TLS. */
  readonly tls?: boolean
  /** Settings for every process, as in the `config.ts` files. */
  readonly settings?: Readonly<Record<string, string>>
  /** Fills its folder before the first start, as a restore does. */
  readonly prepare?: (place: { readonly folder: Folder; readonly name: string }) => Promise<void>
  /** Further arguments of RabbitMQ's `erl`. */
  readonly brokerArgs?: readonly string[]
  /** What the watcher says: which process ended and is started again. */
  readonly say?: (line: string) => void
  /** Clocks of its processes that can be made to jump. */
  readonly clocks?: Clocks
}

/** A started and whole system, stopped and removed at the end of `t`: of a test, or of a script's run. */
export async function startCluster(
  t: Pick<Test, 'teardown'>,
  options: ClusterOptions = {}
): Promise<Cluster> {
  const cluster = await Cluster.open(options)
  t.teardown(() => cluster[Symbol.asyncDispose]())
  return cluster
}

export class Cluster extends Faults implements AsyncDisposable {
  readonly folder: Folder
  readonly #name = `test-${randomBytes(3).toString('hex')}`
  readonly #options: ClusterOptions
  #convoy: Convoy | undefined
  #network: Network | undefined

  private constructor(options: ClusterOptions) {
    super()
    this.#options = options
    this.folder = openFolder(mkdtempSync(join(tmpdir(), 'convoy-')), undefined)
  }

  /** @returns when it is whole; dispose of it */
  static async open(options: ClusterOptions = {}): Promise<Cluster> {
    const cluster = new Cluster(options)
    try {
      await options.prepare?.({ folder: cluster.folder, name: cluster.#name })
      await cluster.start()
      await cluster.healed()
      return cluster
    } catch (err) {
      await cluster[Symbol.asyncDispose]()
      throw err
    }
  }

  /** Of the orchestrator. */
  get url(): string {
    return this.#running.run.addresses.orchestrator
  }

  /** As scripts find it. */
  get run(): Convoy['run'] {
    return this.#running.run
  }

  /** Of all of them, the first one first. */
  get orchestrators(): readonly string[] {
    return this.#running.run.orchestrators
  }

  /** Of the gateway. */
  get lbUrl(): string {
    return this.#running.run.addresses.lb
  }

  get workers(): number {
    return this.#options.workers ?? 3
  }

  async now(): Promise<ClusterNow> {
    const headers = bearerOf(this.#running.token)
    return (await call(`GET ${this.url}/api/v1/cluster`, { headers })).body as ClusterNow
  }

  /** Resolves when one master and the wanted replicas are in sync, none of them a dead process. */
  healed(dead: readonly number[] = [], { withinMs = HEALED_MS } = {}): Promise<ClusterNow> {
    return until(`${this.workers} workers in sync`, { withinMs }, async () => {
      const now = await this.now()
      return isWhole(now, { dead, wanted: this.workers }) ? now : undefined
    })
  }

  /** Resolves when somebody leads in `term` or a later one. */
  untilTerm(term: number): Promise<ClusterNow> {
    return until(`a master of term ${term}`, { withinMs: HEALED_MS }, async () => {
      const now = await this.now()
      const leads = now.workers.some(({ id, role }) => id === now.master && role === 'master')
      return now.term >= term && leads ? now : undefined
    })
  }

  /** Everything, on the data that is there. */
  async start(): Promise<void> {
    const { software } = findSoftware()
    if (software === undefined) throw new Error('run `npm test`: it brings the servers needed')
    const {
      network = false,
      tls = false,
      orchestrators = 1,
      settings = {},
      brokerArgs = [],
      say = () => {},
      clocks
    } = this.#options
    const through = async (direct: Convoy['services']) => {
      this.#network = await Network.open(direct)
      return this.#network.addresses
    }
    this.#convoy = await startConvoy({
      folder: this.folder,
      software: clocks ? clocks.around(software) : software,
      cluster: this.#name,
      ports: {},
      replicas: this.workers - 1,
      orchestrators,
      fresh: false,
      tls,
      settings,
      postgresUser: 'postgres',
      readyMs: READY_MS,
      brokerArgs,
      say,
      ...(network ? { through } : {}),
      ...(clocks ? { environmentOf: name => clocks.environmentOf(name) } : {})
    })
  }

  /** Stops everything in order; the data stays. */
  async stop(): Promise<void> {
    await this.#convoy?.stop()
    await this.#network?.[Symbol.asyncDispose]()
    this.#convoy = undefined
    this.#network = undefined
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.heal() // A process that stands still cannot be stopped in order.
    await this.stop()
    this.removeDisks()
    rmSync(this.folder.root, { recursive: true, force: true }) // with what a test put into it
  }

  protected get network(): Network {
    if (this.#network === undefined) throw new Error('started without `network: true`')
    return this.#network
  }

  get #running(): Convoy {
    if (this.#convoy === undefined) throw new Error('the cluster is stopped')
    return this.#convoy
  }
}

export function isWhole(
  { master, inSync, workers }: ClusterNow,
  { dead, wanted }: { dead: readonly number[]; wanted: number }
): boolean {
  const live = workers.filter(
    ({ id, pid, role }) =>
      inSync.includes(id) && !dead.includes(pid) && role === (id === master ? 'master' : 'replica')
  )
  return master !== null && inSync.length === wanted && live.length === wanted
}
