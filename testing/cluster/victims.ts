/**
 * Who a fault strikes, in words, and which processes and folders those are at present.
 */
import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { Run } from '../../local/convoy.ts'
import type { Folder } from '../../local/folder.ts'
import { processesIn } from '../../workers/postgres/processes.ts'
import { dataDirOf } from '../../workers/postgres/server.ts'

/** `worker <id>` and `database of <id>` name one for good, whatever its role becomes. */
export type WorkerVictim = 'master' | 'replica' | `worker ${string}`
export type DatabaseVictim =
  | "the master's database"
  | "a replica's database"
  | `database of ${string}`
/** `orchestrator` is the first of them, `orchestrator-2` the second. */
export type Program = 'orchestrator' | `orchestrator-${number}` | 'users-api' | 'rides-api' | 'lb'
export type Server = 'rabbitmq' | 'zookeeper'
export type Victim = WorkerVictim | DatabaseVictim | Program | Server | 'all workers'
/** Who talks to the servers. */
export type Party = WorkerVictim | Program | 'all workers'

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

/** Of a system's folder, what faults need to know. */
export type Places = Pick<Folder, 'root' | 'runFile' | 'workers' | 'rabbitMq' | 'zooKeeper'>

/** What victims are looked up in. */
export interface Scene {
  readonly folder: Places
  now(): Promise<ClusterNow>
}

type LiveWorker = ClusterNow['workers'][number]

/** @returns the processes that a kill has to strike: of a database the first, which takes the others along */
export async function pidsOf(victim: Victim, scene: Scene): Promise<number[]> {
  if (isDatabase(victim)) return [postmasterOf(await placeOf(victim, scene)).pid]
  if (isOutside(victim)) return [pidOf(victim, scene)]
  return (await workersOf(victim, scene)).map(({ pid }) => pid)
}

/** @returns all processes, those of a database one by one */
export async function allPidsOf(victim: Victim, scene: Scene): Promise<number[]> {
  if (!isDatabase(victim)) return pidsOf(victim, scene)
  return processesIn(realpathSync(dataDirOf((await placeOf(victim, scene)).dir)))
}

/** @returns the names that the network knows them by */
export async function partiesOf(party: Party, scene: Scene): Promise<string[]> {
  if (isOutside(party)) return [party]
  const workers = await workersOf(party, scene)
  return workers.map(worker => basename(dirOf(worker, scene)))
}

/** A worker's folder, by the worker or by its database. */
export async function placeOf(victim: WorkerVictim | DatabaseVictim, scene: Scene): Promise<Place> {
  const [found] = await workersOf(isDatabase(victim) ? ownerOf(victim) : victim, scene)
  const worker = some(found, victim)
  return { dir: dirOf(worker, scene), workerId: worker.id }
}

/** Of RabbitMQ, ZooKeeper or a program. @throws Error while it is not running */
export function pidOf(name: Program | Server, { folder }: Scene): number {
  const { pids } = JSON.parse(readFileSync(folder.runFile, 'utf8')) as Run
  return some(pids[name], name)
}

/** Workers with data, whoever started them. */
export function placesOf({ folder }: Pick<Scene, 'folder'>): Place[] {
  const dirs = readdirSync(folder.workers).map(name => join(folder.workers, name))
  return dirs.filter(dir => existsSync(join(dir, 'worker.json'))).map(placeAt)
}

export function placeAt(dir: string): Place {
  const { workerId } = JSON.parse(readFileSync(join(dir, 'worker.json'), 'utf8')) as Place
  return { dir, workerId }
}

/** First lines of a running PostgreSQL's own file. */
export function postmasterOf({ dir }: Place): { pid: number; port: number; socketDir: string } {
  const lines = readFileSync(join(dataDirOf(dir), 'postmaster.pid'), 'utf8').split('\n')
  return { pid: Number(lines[0]), port: Number(lines[3]), socketDir: lines[4] ?? '' }
}

const DATABASE_OF = 'database of '
const isDatabase = (victim: Victim): victim is DatabaseVictim =>
  victim.endsWith("'s database") || victim.startsWith(DATABASE_OF)

const OUTSIDE: readonly string[] = [
  ...['orchestrator', 'users-api', 'rides-api', 'lb'],
  ...['rabbitmq', 'zookeeper']
]
const isOutside = (victim: Victim): victim is Program | Server =>
  OUTSIDE.includes(victim) || victim.startsWith('orchestrator-')

function ownerOf(victim: DatabaseVictim): WorkerVictim {
  if (victim === "the master's database") return 'master'
  if (victim === "a replica's database") return 'replica'
  return `worker ${victim.slice(DATABASE_OF.length)}`
}

async function workersOf(
  victim: WorkerVictim | 'all workers',
  scene: Scene
): Promise<readonly LiveWorker[]> {
  const { master, workers } = await scene.now()
  if (victim === 'all workers') return workers
  const is = ({ id, role }: LiveWorker) => {
    if (victim === 'master') return id === master
    return victim === 'replica' ? role === 'replica' : victim === `worker ${id}`
  }
  return [some(workers.find(is), victim)]
}

/** By its pid where it has no data yet. */
function dirOf({ id, pid }: LiveWorker, { folder }: Scene): string {
  const dirs = readdirSync(folder.workers).map(name => join(folder.workers, name))
  const says = (dir: string, file: string) => {
    const path = join(dir, file)
    return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Partial<Life>) : {}
  }
  const isHome = (dir: string) =>
    says(dir, 'worker.json').workerId === id || says(dir, 'worker.pid').pid === pid
  return some(dirs.find(isHome), `folder of ${id}`)
}

interface Life {
  readonly workerId: string
  readonly pid: number
}

function some<T>(found: T | undefined, what: string): T {
  if (found === undefined) throw new Error(`no ${what} to be found`)
  return found
}
