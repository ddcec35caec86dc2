/**
 * What may happen to a running system, one line each. Faults are real: signals to real
 * processes, folders removed, connections gone silent, all of it past Convoy's own code.
 * What lasts is a `Fault`, and ends when it is healed, at the latest with the cluster.
 */
import { lstatSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { dataDirOf } from '../../workers/postgres/server.ts'
import { Disk } from '../faults/disk.ts'
import { type Network, type Rule, SERVICES, type Service } from '../faults/network.ts'
import type { Direction } from '../faults/proxy.ts'
import { until } from '../wait.ts'
import {
  allPidsOf,
  type ClusterNow,
  type Party,
  type Places,
  partiesOf,
  pidOf,
  pidsOf,
  placeOf,
  placesOf,
  type Scene,
  type Server,
  type Victim,
  type WorkerVictim
} from './victims.ts'

const RESTARTED_MS = 10_000
const CLONING_MS = 30_000
const CLONE_POLL_MS = 3

/** One that lasts. */
export interface Fault {
  /** In words, for a timeline. */
  readonly what: string
  /** The processes that it struck. */
  readonly pids: readonly number[]
  /** Ends it. Once is enough. */
  heal(): Promise<void>
}

/** A fault that is healed after so long. @returns the pids of workers that died of it: none */
export async function lasting(ms: number, fault: Promise<Fault>): Promise<readonly number[]> {
  const { heal } = await fault
  await sleep(ms)
  await heal()
  return []
}

export abstract class Faults implements Scene {
  abstract readonly folder: Places
  abstract now(): Promise<ClusterNow>
  /** @throws Error where the cluster was started without */
  protected abstract readonly network: Network
  readonly #lasting = new Set<Fault>()
  readonly #disks = new Map<string, Disk>()
  #disksMade = 0

  /** kill -9, of several at the same moment. @returns the pids that were killed */
  async kill(...victims: Victim[]): Promise<number[]> {
    const pids = (await Promise.all(victims.map(victim => pidsOf(victim, this)))).flat()
    signalAll(pids, 'SIGKILL')
    return pids
  }

  /** SIGSTOP, until it is healed; of a database all its processes. */
  async pause(...victims: Victim[]): Promise<Fault> {
    const pids = (await Promise.all(victims.map(victim => allPidsOf(victim, this)))).flat()
    signalAll(pids, 'SIGSTOP')
    return this.#lasts({ what: `pause ${victims.join(', ')}`, pids }, () =>
      signalAll(pids, 'SIGCONT')
    )
  }

  /** Silence between two: connections stay and carry nothing, new ones too. */
  async cut(
    party: Party,
    from: Service | 'everything',
    direction: Direction | 'both' = 'both'
  ): Promise<Fault> {
    const what = `cut ${party} from ${from}${direction === 'both' ? '' : `, one way (${direction})`}`
    return this.#rule(what, { party, from, direction, delayMs: 'cut' })
  }

  /** Everything between two comes so much later, each way. */
  async slow(party: Party, from: Service | 'everything', delayMs: number): Promise<Fault> {
    const what = `slow ${party} to ${from} by ${delayMs} ms`
    return this.#rule(what, { party, from, direction: 'both', delayMs })
  }

  /** Breaks the connections between two, once. */
  async reset(party: Party, from: Service): Promise<void> {
    for (const name of await partiesOf(party, this)) await this.network.reset(name, from)
  }

  /** The party's ZooKeeper session is over, at once. */
  async expire(party: Party): Promise<void> {
    for (const name of await partiesOf(party, this)) await this.network.expire(name)
  }

  /**
   * kill -9 of a server that stays away until it is healed. It `forgets`: RabbitMQ its
   * queues, ZooKeeper all it knew.
   */
  async down(server: Server, { forgets = false } = {}): Promise<Fault> {
    const dead = pidOf(server, this)
    signalAll([dead], 'SIGKILL')
    // Its watcher starts another at once: that one is stopped before it has begun.
    const next = await until(`${server} started again`, { withinMs: RESTARTED_MS }, () => {
      const pid = pidOf(server, this)
      return pid === dead ? undefined : pid
    })
    signalAll([next], 'SIGSTOP')
    if (forgets) empty(memoryOf(server, this.folder))
    const what = `${server} down${forgets ? ', its memory lost' : ''}`
    return this.#lasts({ what, pids: [dead] }, () => signalAll([next], 'SIGCONT'))
  }

  /** A worker, its database and its folder are gone. @returns the pids that were killed */
  async lose(victim: WorkerVictim): Promise<number[]> {
    const { dir } = await placeOf(victim, this)
    const pids = await this.#stopped(victim)
    rmSync(dir, { recursive: true, force: true })
    signalAll(pids, 'SIGKILL')
    return pids
  }

  /** The files of a worker's database are gone, and its processes go on. @returns its pid: it cannot stay */
  async erase(victim: WorkerVictim): Promise<number[]> {
    const { dir, workerId } = await placeOf(victim, this)
    const pids = await pidsOf(`worker ${workerId}`, this)
    rmSync(dataDirOf(dir), { recursive: true, force: true })
    return pids
  }

  /** Waits for a worker that is being cloned, and keeps its copy from going on. */
  async holdClone(): Promise<Fault> {
    const found = await this.#untilCloning()
    signalAll(found, 'SIGSTOP')
    return this.#lasts({ what: 'hold the clone', pids: found }, () => signalAll(found, 'SIGCONT'))
  }

  /** Gives each worker that has none a small disk of its own, for `fillDisk` and `hangDisk`. @returns the pids that were killed */
  async smallDisks(sizeMiB?: number): Promise<number[]> {
    const dead: number[] = []
    const moved = placesOf(this).filter(({ dir }) => !isOnDisk(dir))
    for (const { workerId } of moved) dead.push(...(await this.#stopped(`worker ${workerId}`)))
    for (const { dir } of moved) {
      this.#disks.get(dir)?.[Symbol.dispose]() // of data that has been copied anew since
      const name = `${basename(dir)}-${++this.#disksMade}`
      const disk = new Disk(join(this.folder.root, 'disks'), name, sizeMiB)
      this.#disks.set(dir, disk)
      disk.adopt(dataDirOf(dir))
    }
    signalAll(dead, 'SIGKILL')
    return dead
  }

  /** No byte more on its disk. */
  async fillDisk(victim: WorkerVictim): Promise<Fault> {
    const disk = await this.#diskOf(victim)
    await disk.fill()
    return this.#lasts({ what: `disk full: ${victim}`, pids: [] }, () => disk.free())
  }

  /** Whoever writes to its disk waits. */
  async hangDisk(victim: WorkerVictim): Promise<Fault> {
    const disk = await this.#diskOf(victim)
    disk.hang()
    return this.#lasts({ what: `disk hangs: ${victim}`, pids: [] }, () => disk.goOn())
  }

  /** Ends all that lasts. */
  async heal(): Promise<void> {
    for (const fault of this.#lasting) await fault.heal()
  }

  /** When nothing runs any more. */
  protected removeDisks(): void {
    for (const disk of this.#disks.values()) disk[Symbol.dispose]()
    this.#disks.clear()
  }

  #lasts(
    { what, pids }: { what: string; pids: readonly number[] },
    end: () => void | Promise<void>
  ): Fault {
    const fault: Fault = {
      what,
      pids,
      heal: async () => {
        if (this.#lasting.delete(fault)) await end()
      }
    }
    this.#lasting.add(fault)
    return fault
  }

  async #rule(
    what: string,
    rule: Pick<Rule, 'direction' | 'delayMs'> & { party: Party; from: Service | 'everything' }
  ): Promise<Fault> {
    const { direction, delayMs, from } = rule
    const services = from === 'everything' ? SERVICES : [from]
    const parties = await partiesOf(rule.party, this)
    const rules = parties.flatMap(party =>
      services.map((service): Rule => ({ party, service, direction, delayMs }))
    )
    await this.network.add(rules)
    return this.#lasts({ what, pids: [] }, () => this.network.remove(rules))
  }

  /** Stops a worker and all of its database. */
  async #stopped(victim: WorkerVictim): Promise<number[]> {
    const { workerId } = await placeOf(victim, this)
    const worker = await pidsOf(victim, this)
    signalAll(worker, 'SIGSTOP')
    const database = await allPidsOf(`database of ${workerId}`, this)
    signalAll(database, 'SIGSTOP')
    return [...worker, ...database]
  }

  async #diskOf(victim: WorkerVictim): Promise<Disk> {
    const { dir } = await placeOf(victim, this)
    const disk = this.#disks.get(dir)
    if (disk === undefined || !isOnDisk(dir)) throw new Error(`${victim} has no small disk`)
    return disk
  }

  async #untilCloning(): Promise<number[]> {
    const deadline = performance.now() + CLONING_MS
    while (performance.now() < deadline) {
      const found = cloning(this.folder.workers)
      if (found.length > 0) return found
      await sleep(CLONE_POLL_MS) // A copy of a small database takes but a moment.
    }
    throw new Error(`after ${CLONING_MS / 1_000} s nobody was cloned`)
  }
}

function signalAll(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal)
    } catch {
      // It has ended meanwhile.
    }
  }
}

const memoryOf = (server: Server, folder: Places): string =>
  server === 'rabbitmq' ? join(folder.rabbitMq, 'mnesia') : join(folder.zooKeeper, 'data')

/** Whether a worker's data lies on a small disk: a new copy of it does not. */
const isOnDisk = (dir: string): boolean =>
  lstatSync(dataDirOf(dir), { throwIfNoEntry: false })?.isSymbolicLink() === true

function empty(dir: string): void {
  for (const name of readdirSync(dir)) rmSync(join(dir, name), { recursive: true, force: true })
}

/** Processes that copy a database into one of the workers' folders. */
function cloning(workersDir: string): number[] {
  const pids = readdirSync('/proc').map(Number).filter(Number.isInteger)
  return pids.filter(pid => {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8')
      return command.includes('pg_basebackup') && command.includes(workersDir)
    } catch {
      return false
    }
  })
}
