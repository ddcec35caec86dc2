/**
 * A whole system of a test file's own, and what may happen to it: a fault is one line
 * (`await cluster.kill('master')`). Faults are real signals to real processes, sent
 * past all of Convoy's code. Nothing of it is left when the file's tests are done.
 */
import { randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { findSoftware } from '../../cli/machine/software.ts'
import { type Convoy, type Run, startConvoy } from '../../cli/system/convoy.ts'
import { type Folder, openFolder } from '../../cli/system/folder.ts'
import { call } from '../contract/convoy.ts'
import { until } from './wait.ts'

const READY_MS = 60_000
const HEALED_MS = 40_000
const WORKERS = 3

export type Victim =
  | 'master'
  | 'replica'
  | "the master's database"
  | "a replica's database"
  | 'orchestrator'
  | 'rabbitmq'
  | 'zookeeper'
  | 'all workers'

/** The part of `GET /api/v1/cluster` that tests look at. */
export interface ClusterNow {
  readonly term: number
  readonly master: string | null
  readonly inSync: readonly string[]
  readonly workers: readonly { readonly id: string; readonly pid: number; readonly role: string }[]
}

/** A worker's folder, and what it says of itself. */
export interface Place {
  readonly dir: string
  readonly workerId: string
}

export interface Cluster {
  /** Of the orchestrator. */
  readonly url: string
  readonly folder: Folder
  now(): Promise<ClusterNow>
  /** kill -9, of several at the same moment. @returns the pids that were killed */
  kill(...victims: Victim[]): Promise<number[]>
  /** Resolves when one master and the wanted replicas are in sync, none of them a dead process. */
  healed(dead?: readonly number[]): Promise<ClusterNow>
  /** Stops everything in order; the data stays. */
  stop(): Promise<void>
  /** Everything again, on the same data. */
  start(): Promise<void>
}

export interface ClusterOptions {
  /** 1 unless told. */
  readonly orchestrators?: number
  /** For every process, as in the `config.ts` files. */
  readonly settings?: Readonly<Record<string, string>>
}

/** A started system, stopped and removed at the end of `t`: of a test, or of a script's run. */
export async function startCluster(
  t: Pick<Test, 'teardown'>,
  options: ClusterOptions = {}
): Promise<Cluster> {
  await using opened = new AsyncDisposableStack()
  const folder = openFolder(mkdtempSync(join(tmpdir(), 'convoy-')), undefined)
  opened.defer(() => folder.remove())
  const name = `test-${randomBytes(3).toString('hex')}`
  let convoy = await startIn(folder, name, options)
  opened.defer(() => convoy.stop())
  const url = () => convoy.run.addresses.orchestrator
  const cluster: Cluster = {
    folder,
    get url() {
      return url()
    },
    now: async () => (await call(`GET ${url()}/api/v1/cluster`)).body as ClusterNow,
    async kill(...victims) {
      const found = victims.map(victim => pidsOf(victim, cluster))
      const pids = (await Promise.all(found)).flat()
      for (const pid of pids) process.kill(pid, 'SIGKILL')
      return pids
    },
    healed: (dead = []) =>
      until(`${WORKERS} workers in sync`, { withinMs: HEALED_MS }, async () => {
        const now = await cluster.now()
        return isWhole(now, dead) ? now : undefined
      }),
    stop: () => convoy.stop(),
    async start() {
      convoy = await startIn(folder, name, options)
    }
  }
  await cluster.healed()
  const owned = opened.move()
  t.teardown(() => owned.disposeAsync())
  return cluster
}

function startIn(
  folder: Folder,
  cluster: string,
  { orchestrators = 1, settings = {} }: ClusterOptions
): Promise<Convoy> {
  const { software } = findSoftware()
  if (software === undefined) throw new Error('run `npm test`: it brings the servers needed')
  return startConvoy({
    folder,
    software,
    cluster,
    ports: {},
    replicas: WORKERS - 1,
    orchestrators,
    fresh: false,
    token: undefined,
    settings,
    postgresUser: 'postgres',
    readyMs: READY_MS,
    say: () => {}
  })
}

function isWhole({ master, inSync, workers }: ClusterNow, dead: readonly number[]): boolean {
  const live = workers.filter(
    ({ id, pid, role }) =>
      inSync.includes(id) && !dead.includes(pid) && role === (id === master ? 'master' : 'replica')
  )
  return master !== null && inSync.length === WORKERS && live.length === WORKERS
}

/** Workers with data, whoever started them. */
export function placesOf({ folder }: Cluster): Place[] {
  const dirs = readdirSync(folder.workers).map(name => join(folder.workers, name))
  return dirs.filter(dir => existsSync(join(dir, 'worker.json'))).map(placeAt)
}

export function placeAt(dir: string): Place {
  const { workerId } = JSON.parse(readFileSync(join(dir, 'worker.json'), 'utf8')) as Place
  return { dir, workerId }
}

/** First lines of a running PostgreSQL's own file. */
export function postmasterOf({ dir }: Place): { pid: number; port: number; socketDir: string } {
  const lines = readFileSync(join(dir, 'data', 'postmaster.pid'), 'utf8').split('\n')
  return { pid: Number(lines[0]), port: Number(lines[3]), socketDir: lines[4] ?? '' }
}

async function pidsOf(victim: Victim, cluster: Cluster): Promise<number[]> {
  if (victim === 'orchestrator' || victim === 'rabbitmq' || victim === 'zookeeper') {
    const { pids } = JSON.parse(readFileSync(cluster.folder.runFile, 'utf8')) as Run
    return [some(pids[victim], victim)]
  }
  const { master, workers } = await cluster.now()
  if (victim === 'all workers') return workers.map(({ pid }) => pid)
  const leads = victim === 'master' || victim === "the master's database"
  const worker = some(
    workers.find(({ id, role }) => (leads ? id === master : role === 'replica')),
    victim
  )
  if (victim === 'master' || victim === 'replica') return [worker.pid]
  const place = placesOf(cluster).find(({ workerId }) => workerId === worker.id)
  return [postmasterOf(some(place, victim)).pid]
}

function some<T>(found: T | undefined, what: string): T {
  if (found === undefined) throw new Error(`no ${what} to be found`)
  return found
}
