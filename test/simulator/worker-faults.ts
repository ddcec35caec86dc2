/**
 * What may befall a simulated worker: its process, its machine's cables, its database.
 * Each returns what was struck, for the trace, or null when there was nothing to strike.
 */
import type { Cable } from './cable.ts'
import type { Place, Places } from './places.ts'
import type { Worker } from './worker.ts'
import type { World } from './world.ts'

/** How an ambush strikes. */
export type How = 'kill' | 'pause' | 'expire' | 'cut'

export class WorkerFaults {
  readonly #world: World
  readonly #places: Places

  constructor(world: World, places: Places) {
    this.#world = world
    this.#places = places
  }

  anyPlace(): Place | undefined {
    return this.#world.dice.pick(this.#places.all.filter(({ process }) => process?.alive === true))
  }

  #masterPlace(): Place | undefined {
    const { master } = this.#world.zookeeper.now.node.state
    return this.#places.all.find(({ worker }) => worker !== null && worker.id === master)
  }

  crash(): string | null {
    return this.#kill(this.anyPlace())
  }

  crashMaster(): string | null {
    return this.#kill(this.#masterPlace())
  }

  crashAll(): string {
    for (const place of this.#places.all) place.kill()
    return 'all'
  }

  #kill(place: Place | undefined): string | null {
    if (place === undefined) return null
    const name = nameOf(place)
    place.kill()
    return name
  }

  /** Never of the last named worker that has data: nobody promises anything then. */
  loseData(): string | null {
    const place = this.anyPlace()
    if (place === undefined || place.workerId === null) return null
    if (!this.#isSafe(place.workerId)) return null
    const name = nameOf(place)
    place.kill()
    place.wipe()
    return name
  }

  pause(): string | null {
    return this.#pause(this.anyPlace())
  }

  pauseMaster(): string | null {
    return this.#pause(this.#masterPlace())
  }

  #pause(place: Place | undefined): string | null {
    const process = place?.process
    if (place === undefined || process?.paused !== false) return null
    process.pause()
    return `${nameOf(place)}, ${this.#world.forAWhile(() => process.resume())}`
  }

  expireSession(): string | null {
    return this.#expire(this.anyPlace())
  }

  #expire(place: Place | undefined): string | null {
    const client = place?.process?.zookeeper
    if (place === undefined || client === undefined || !this.#world.zookeeper.up) return null
    this.#world.zookeeper.expire(client.session)
    return nameOf(place)
  }

  cut(cables: (place: Place) => readonly Cable[]): string | null {
    const place = this.anyPlace()
    return place === undefined ? null : this.#cut(place, cables(place))
  }

  #cut(place: Place, cables: readonly Cable[]): string {
    const ways = this.#world.dice.pick(['both', 'both', 'out', 'back'] as const) ?? 'both'
    for (const cable of cables) cable.cut(ways)
    const undo = () => {
      for (const cable of cables) cable.mend()
    }
    return `${nameOf(place)}, ${ways}, ${this.#world.forAWhile(undo)}`
  }

  /**
   * Hears neither of the others nor, mostly, of `/state`, and goes on serving what the
   * shared queues give it: for it alone, nothing has changed. Often it can commit nothing
   * either, so that no write of its own keeps it from answering reads.
   */
  deafen(isMaster: boolean): string | null {
    const place = isMaster ? this.#masterPlace() : this.anyPlace()
    if (place === undefined) return null
    const { rabbitmq } = this.#world
    const { machine } = place
    const isCut = this.#world.dice.chance(0.8)
    rabbitmq.deaf.add(machine)
    if (isCut) machine.zookeeper.cut('both')
    const forMs = this.#world.dice.between(400, 1_500)
    if (place.worker !== null && this.#world.dice.chance(0.5)) this.#stall(place.worker, forMs)
    const { timeline } = this.#world
    timeline.after(forMs, () => rabbitmq.deaf.delete(machine))
    if (isCut) timeline.after(forMs, () => machine.zookeeper.mend())
    return `${nameOf(place)}, ${forMs} ms`
  }

  /** Its wall clock is set ahead, or back. Nothing may come of it. */
  jumpClock(): string | null {
    const place = this.anyPlace()
    if (place === undefined) return null
    const byMs = this.#world.dice.between(-10_000, 10_000)
    place.machine.jumpedMs += byMs
    return `${nameOf(place)}, ${byMs} ms`
  }

  /** PostgreSQL ends, and its worker with it: what it was doing is not done. */
  killDatabase(): string | null {
    const { worker } = this.anyPlace() ?? {}
    if (worker === undefined || worker === null) return null
    worker.database.end()
    worker.after(this.#world.delay(), () => worker.end('lost'))
    return worker.id
  }

  /** A worker's rows are found to be wrong, the master's too; never so that no sound member is left. */
  doubtRows(): string | null {
    const { doubted } = this.#world
    const { worker } = this.anyPlace() ?? {}
    if (worker === undefined || worker === null) return null
    doubted.add(worker.id)
    if (!this.#isSafe()) {
      doubted.delete(worker.id)
      return null
    }
    worker.do(() => worker.dispatch({ kind: 'differs', tables: ['rows'] }))
    return worker.id
  }

  /**
   * A member is left with data that nobody doubts: else nobody promises anything. A master in
   * doubt still removes members that are silent, so beside it no other member may lose its data.
   */
  #isSafe(without: string | null = null): boolean {
    const { disks, doubted, zookeeper } = this.#world
    const { members } = zookeeper
    const isSound = (id: string) => disks.has(id) && !doubted.has(id) && id !== without
    const unsound = members.filter(id => !isSound(id)).length
    const mayBe = members.some(id => doubted.has(id)) ? 1 : members.length - 1
    return unsound <= mayBe && unsound < members.length
  }

  hang(): string | null {
    const { worker } = this.anyPlace() ?? {}
    if (worker === undefined || worker === null) return null
    const { database } = worker
    database.hang()
    return `${worker.id}, ${this.#world.forAWhile(() => database.goOn())}`
  }

  fillDisk(): string | null {
    const { worker } = this.anyPlace() ?? {}
    if (worker === undefined || worker === null) return null
    const { disk } = worker
    disk.full = true
    const undo = () => {
      disk.full = false
    }
    return `${worker.id}, ${this.#world.forAWhile(undo)}`
  }

  stallCommits(): string | null {
    const { worker } = this.anyPlace() ?? {}
    if (worker === undefined || worker === null) return null
    const forMs = this.#world.dice.between(20, 900)
    this.#stall(worker, forMs)
    return `${worker.id}, ${forMs} ms`
  }

  #stall({ database }: Worker, forMs: number): void {
    database.stalledUntilMs = this.#world.timeline.nowMs + forMs
  }

  strikeAt(place: Place, how: How): void {
    if (how === 'kill') place.kill()
    else if (how === 'pause') this.#pause(place)
    else if (how === 'expire') this.#expire(place)
    else
      this.#cut(
        place,
        this.#world.dice.chance(0.5) ? [place.machine.rabbit] : [place.machine.zookeeper]
      )
  }

  heal(): void {
    for (const disk of this.#world.disks.values()) disk.full = false
    this.#world.rabbitmq.deaf.clear()
    for (const { machine, process, worker } of this.#places.all) {
      machine.rabbit.mend()
      machine.zookeeper.mend()
      process?.resume()
      worker?.database.goOn()
      if (worker !== null) worker.database.stalledUntilMs = 0
    }
  }
}

const nameOf = ({ worker, machine }: Place): string => worker?.id ?? machine.name
