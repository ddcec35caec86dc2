/**
 * Where workers live, and the one who starts them again, replaces them and buries the
 * dead: a simulated supervisor over simulated machines. A place without data copies
 * that of a running worker and begins as a new one.
 */
import type { ClusterState } from '../../wire/znodes.ts'
import { Machine } from './cable.ts'
import { Disk } from './database.ts'
import { Process } from './process.ts'
import { Worker } from './worker.ts'
import type { World } from './world.ts'
import type { Shown } from './zookeeper.ts'
import { ZooKeeperClient } from './zookeeper-client.ts'

const RETRY_MS = 30
/** Places beyond the wanted number, for those that may not go yet. */
const SPARE_PLACES = 2

export class Place {
  readonly machine: Machine
  worker: Worker | null = null
  joiner: Joiner | null = null
  /** Of the data that is there. */
  workerId: string | null = null
  readonly #world: World
  readonly #places: Places

  constructor(world: World, places: Places, name: string) {
    this.#world = world
    this.#places = places
    this.machine = new Machine(name)
  }

  get process(): Worker | Joiner | null {
    return this.worker ?? this.joiner
  }

  /** What a worker of an earlier process left running in its database ends first. */
  start(): void {
    const disk = this.workerId === null ? undefined : this.#world.disks.get(this.workerId)
    if (disk === undefined || this.workerId === null) {
      this.joiner = new Joiner(this.#world, this.#places, this)
    } else this.#run(this.workerId, disk)
  }

  settle(id: string, disk: Disk): void {
    this.workerId = id
    this.#world.disks.set(id, disk)
    this.joiner = null
    this.#run(id, disk)
  }

  #run(id: string, disk: Disk): void {
    const pid = this.#world.nextPid(id)
    this.#world.note?.(`${id} starts on ${this.machine.name}, log ends at ${disk.last.index}`)
    const worker: Worker = new Worker(this.#world, {
      ...{ id, pid, disk, machine: this.machine },
      ended: how => {
        if (how === 'startOver') this.wipe()
        this.#places.died(this, worker)
      }
    })
    this.#places.databases.get(id)?.end()
    this.#places.databases.set(id, worker.database)
    this.worker = worker
  }

  kill(): void {
    const { process } = this
    if (process === null) return
    process.die()
    this.joiner = null
    if (this.worker !== null) this.#places.died(this, this.worker)
  }

  /** Its data is gone, and with it the worker that it was. */
  wipe(): void {
    if (this.workerId !== null) this.#world.disks.delete(this.workerId)
    this.workerId = null
  }
}

/** Nobody has led it yet: whoever has no data may begin. */
const isNew = ({ clusterId, term }: ClusterState) => clusterId === 'sim' && term === 0

/** The beginning of a worker without data: workers/bootstrap.ts. */
class Joiner extends Process {
  readonly #places: Places
  readonly #place: Place
  readonly #id: string
  readonly zookeeper: ZooKeeperClient

  constructor(world: World, places: Places, place: Place) {
    super(world)
    this.#places = places
    this.#place = place
    this.#id = places.nextId()
    const ignore = () => {}
    const listener = {
      ...{ expired: ignore, contact: ignore, stateChanged: ignore, shown: ignore },
      watches: false
    }
    this.zookeeper = new ZooKeeperClient(world, {
      ...{ process: this, machine: place.machine, listener }
    })
    this.after(1, () => this.#begin())
  }

  #begin(): void {
    this.zookeeper.read(shown => {
      if (shown === undefined) this.#again()
      else if (isNew(shown.node.state)) this.#settle(new Disk())
      else this.#copy(shown)
    })
  }

  #again(): void {
    this.after(RETRY_MS, () => this.#begin())
  }

  /** A replica that is in sync, so that the master is spared; else the master. */
  #copy({ node, peers }: Shown): void {
    const { dice, zookeeper } = this.world
    const usable = node.state.inSync.filter(id => peers.get(id)?.diverged === false)
    const of = (role: string) => usable.find(id => peers.get(id)?.role === role)
    const donor = dice.chance(0.8) ? (of('replica') ?? of('master')) : of('master')
    const shown = donor === undefined ? undefined : peers.get(donor)
    if (donor === undefined || shown === undefined) {
      this.#again()
      return
    }
    const { session } = this.zookeeper
    const needsFrom = shown.last.index
    const self = { ...shown, pid: 0, role: 'joining', needsFrom, yields: false } as const
    // Said before the copy begins: nothing behind this index is pruned until it has joined.
    this.zookeeper.change(
      () => zookeeper.replaceZnode(this.#id, session, self),
      () => {
        const from = this.#places.workerOf(donor)
        this.world.ambush.happens('copying', donor)
        this.world.ambush.happens('joining', this.#place.machine.name)
        this.after(dice.between(2, 120), () => this.#copied(from))
      }
    )
  }

  /** As of the end of the copying; a donor that died meanwhile, or hangs, gives nothing. */
  #copied(from: Worker | null): void {
    if (from === null || !from.alive || from.database.hungSinceMs !== null) {
      this.#again()
      return
    }
    this.world.note?.(`${this.#id} is a copy of ${from.id} at ${from.disk.last.index}`)
    this.#settle(from.disk.copy())
  }

  /** The worker takes over the znode; this session ends by itself. */
  #settle(disk: Disk): void {
    this.#place.settle(this.#id, disk)
    this.die()
  }
}

export class Places {
  readonly all: Place[] = []
  readonly databases = new Map<string, Worker['database']>()
  /** The supervisor is away: nobody is started or buried. */
  away = false
  readonly #world: World
  #made = 0
  #ids = 0

  constructor(world: World) {
    this.#world = world
    for (let i = 0; i < world.plan.workers; i++) this.#create()
    this.#supervise()
  }

  get workers(): Worker[] {
    return this.all.flatMap(({ worker }) => worker ?? [])
  }

  workerOf(id: string): Worker | null {
    return this.all.find(({ worker }) => worker?.id === id)?.worker ?? null
  }

  nextId(): string {
    this.#ids += 1
    return `w${this.#ids}`
  }

  /** The runtime sees most deaths at once; of the others ZooKeeper tells in its time. */
  died(place: Place, worker: Worker): void {
    if (place.worker === worker) place.worker = null
    const { dice, timeline, zookeeper } = this.#world
    if (this.away || !dice.chance(0.7)) return
    timeline.after(dice.between(1, 15), () => {
      if (zookeeper.up && zookeeper.now.peers.get(worker.id)?.pid === worker.pid) {
        zookeeper.removeZnode(worker.id)
      }
    })
  }

  #create(): void {
    this.#made += 1
    const place = new Place(this.#world, this, `m${this.#made}`)
    this.all.push(place)
    place.start()
  }

  /** A worker that was wished away goes when it says that it has left. */
  #sendAway(peers: Shown['peers']): void {
    const { zookeeper } = this.#world
    const { leaving, handoverOf } = zookeeper.now.wishes
    const [id] = leaving
    // Its own word may be older than /state.
    if (id === undefined || !zookeeper.up || zookeeper.members.includes(id)) return
    const place = this.all.find(({ workerId }) => workerId === id)
    if (place !== undefined && peers.get(id)?.role !== 'left') return
    this.#world.note?.(`${id} is let go`)
    zookeeper.setWishes({ leaving: [], handoverOf })
    if (place === undefined) return
    place.kill()
    place.wipe()
    this.all.splice(this.all.indexOf(place), 1)
  }

  #supervise(): void {
    const { dice, timeline } = this.#world
    if (!this.away) this.#look()
    timeline.after(dice.between(20, 80), () => this.#supervise())
  }

  #look(): void {
    const { dice, plan, zookeeper } = this.#world
    const { node, peers } = zookeeper.now
    const diverged = (place: Place) => peers.get(place.workerId ?? '')?.diverged === true
    for (const place of [...this.all]) {
      const named = place.workerId !== null && node.state.inSync.includes(place.workerId)
      const surplus =
        this.all.length > plan.workers && place.process === null && !zookeeper.hasForgotten
      if (surplus && !named) {
        place.wipe()
        this.all.splice(this.all.indexOf(place), 1)
      } else if (place.process === null && dice.chance(0.5)) place.start()
    }
    this.#sendAway(peers)
    const sound = this.all.filter(place => !diverged(place)).length
    const room = this.all.length < plan.workers + SPARE_PLACES
    if (sound < plan.workers && room && node.state.term > 0) this.#create()
  }
}
