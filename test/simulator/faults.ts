/**
 * What goes wrong, drawn from the dice: each fault strikes something and, unless it is
 * final, is undone after a while. `heal` undoes all that is left.
 */
import type { Moment } from './ambush.ts'
import type { Cable } from './cable.ts'
import { Operator } from './operator.ts'
import type { Orchestrators } from './orchestrators.ts'
import type { Place, Places } from './places.ts'
import { CALM } from './rabbitmq.ts'
import type { Worker } from './worker.ts'
import type { World } from './world.ts'

type How = 'kill' | 'pause' | 'expire' | 'cut'
type Fault = (faults: Faults) => string | null

/** Name, weight, and what it does; null when there is nothing to strike. */
const FAULTS: readonly (readonly [string, number, Fault])[] = [
  ['crash', 10, faults => faults.crash()],
  ['crash of the master', 8, faults => faults.crashMaster()],
  ['crash of all workers', 1, faults => faults.crashAll()],
  ['loss of data', 3, faults => faults.loseData()],
  ['pause', 10, faults => faults.pause()],
  ['pause of the master', 8, faults => faults.pauseMaster()],
  ['session expiry', 6, faults => faults.expireSession()],
  ['cut from RabbitMQ', 8, faults => faults.cut(place => [place.machine.rabbit])],
  ['cut from ZooKeeper', 8, faults => faults.cut(place => [place.machine.zookeeper])],
  ['cut from both', 6, faults => faults.cut(({ machine }) => [machine.rabbit, machine.zookeeper])],
  ['bad weather', 8, faults => faults.storm()],
  ['RabbitMQ restarts', 2, faults => faults.restartRabbit()],
  ['ZooKeeper restarts', 3, faults => faults.restartZooKeeper()],
  ['PostgreSQL hangs', 5, faults => faults.hang()],
  ['disk full', 3, faults => faults.fillDisk()],
  ['orchestrator', 6, faults => faults.strikeOrchestrator()],
  ['supervisor away', 3, faults => faults.sendSupervisorAway()],
  ['ZooKeeper loses its memory', 1, faults => faults.forgetZooKeeper()],
  ['wish', 4, faults => faults.wish()],
  ['slow ZooKeeper', 4, faults => faults.slowZooKeeper()],
  ['slow commits', 6, faults => faults.stallCommits()],
  ['deaf master', 12, faults => faults.deafen(true)],
  ['deaf worker', 10, faults => faults.deafen(false)],
  ['full queue', 3, faults => faults.fillQueue()],
  ['ambush', 14, faults => faults.ambush()]
]
const MOMENTS: readonly (readonly [Moment, How])[] = [
  ['committed', 'kill'],
  ['committed', 'pause'],
  ['working', 'kill'],
  ['working', 'pause'],
  ['working', 'cut'],
  ['reading', 'pause'],
  ['reading', 'pause'],
  ['changing', 'kill'],
  ['changing', 'pause'],
  ['changing', 'expire'],
  ['changing', 'cut'],
  ['named', 'kill'],
  ['named', 'pause'],
  ['named', 'cut'],
  ['copying', 'kill'],
  ['role', 'kill'],
  ['role', 'pause'],
  ['role', 'expire']
]
const WEIGHT = FAULTS.reduce((sum, [, weight]) => sum + weight, 0)

export class Faults {
  readonly #world: World
  readonly #places: Places
  readonly #orchestrators: Orchestrators
  readonly #operator: Operator

  constructor(world: World, places: Places, orchestrators: Orchestrators) {
    this.#world = world
    this.#places = places
    this.#orchestrators = orchestrators
    this.#operator = new Operator(world, places)
    this.#next()
  }

  get #dice() {
    return this.#world.dice
  }

  #next(): void {
    const { timeline, plan } = this.#world
    timeline.after(this.#dice.next() * 2 * plan.calmMs, () => {
      if (timeline.nowMs >= plan.faultsMs) return
      this.#strike()
      // Troubles seldom come alone.
      if (this.#dice.chance(0.25)) this.#strike()
      this.#next()
    })
  }

  #strike(): void {
    let at = this.#dice.next() * WEIGHT
    for (const [name, weight, fault] of FAULTS) {
      at -= weight
      if (at >= 0) continue
      const what = fault(this)
      if (what === null) return
      this.#world.figures.faults += 1
      this.#world.note?.(`FAULT ${name}: ${what}`)
      return
    }
  }

  /** Undone after a time that is mostly short, and at times longer than any timeout. */
  #undoAfter(undo: () => void): string {
    const forMs = this.#dice.chance(0.6)
      ? this.#dice.between(5, 150)
      : this.#dice.between(150, 1_200)
    this.#world.timeline.after(forMs, undo)
    return `${forMs} ms`
  }

  #anyPlace(): Place | undefined {
    return this.#dice.pick(this.#places.all.filter(({ process }) => process?.alive === true))
  }

  #masterPlace(): Place | undefined {
    const { master } = this.#world.zookeeper.now.node.state
    return this.#places.all.find(({ worker }) => worker !== null && worker.id === master)
  }

  #kill(place: Place | undefined): string | null {
    if (place === undefined) return null
    const name = nameOf(place)
    place.kill()
    return name
  }

  crash(): string | null {
    return this.#kill(this.#anyPlace())
  }

  crashMaster(): string | null {
    return this.#kill(this.#masterPlace())
  }

  crashAll(): string {
    for (const place of this.#places.all) place.kill()
    return 'all'
  }

  /** Never of the last named worker that has data: nobody promises anything then. */
  loseData(): string | null {
    const { disks, zookeeper } = this.#world
    const place = this.#anyPlace()
    const named = zookeeper.now.node.state.inSync.filter(id => disks.has(id))
    const others = named.filter(id => id !== place?.workerId)
    if (place === undefined || place.workerId === null || others.length === 0) return null
    const name = nameOf(place)
    place.kill()
    place.wipe()
    return name
  }

  pause(): string | null {
    return this.#pause(this.#anyPlace())
  }

  pauseMaster(): string | null {
    return this.#pause(this.#masterPlace())
  }

  #pause(place: Place | undefined): string | null {
    const process = place?.process
    if (place === undefined || process?.paused !== false) return null
    process.pause()
    return `${nameOf(place)}, ${this.#undoAfter(() => process.resume())}`
  }

  expireSession(): string | null {
    return this.#expire(this.#anyPlace())
  }

  #expire(place: Place | undefined): string | null {
    const { worker } = place ?? {}
    if (worker === undefined || worker === null || !this.#world.zookeeper.up) return null
    this.#world.zookeeper.expire(worker.zookeeper.session)
    return worker.id
  }

  cut(cables: (place: Place) => readonly Cable[]): string | null {
    const place = this.#anyPlace()
    return place === undefined ? null : this.#cut(place, cables(place))
  }

  #cut(place: Place, cables: readonly Cable[]): string {
    const ways = this.#dice.pick(['both', 'both', 'out', 'back'] as const) ?? 'both'
    for (const cable of cables) cable.cut(ways)
    const undo = () => {
      for (const cable of cables) cable.mend()
    }
    return `${nameOf(place)}, ${ways}, ${this.#undoAfter(undo)}`
  }

  storm(): string {
    const { rabbitmq } = this.#world
    const chance = (most: number) => (this.#dice.chance(0.5) ? this.#dice.next() * most : 0)
    rabbitmq.weather = {
      lose: chance(0.3),
      double: chance(0.3),
      slow: chance(0.3),
      disorder: chance(1)
    }
    return this.#undoAfter(() => {
      rabbitmq.weather = CALM
    })
  }

  restartRabbit(): string | null {
    const { rabbitmq } = this.#world
    if (!rabbitmq.up) return null
    rabbitmq.stop()
    return this.#undoAfter(() => rabbitmq.start())
  }

  restartZooKeeper(): string | null {
    const { zookeeper } = this.#world
    if (!zookeeper.up) return null
    zookeeper.stop()
    return this.#undoAfter(() => zookeeper.start())
  }

  forgetZooKeeper(): string | null {
    const { zookeeper } = this.#world
    // Before anybody has led there is nothing to lose: a cluster is made anew.
    if (!zookeeper.up || zookeeper.now.node.state.term === 0) return null
    zookeeper.forget()
    this.#operator.call()
    return 'all of it'
  }

  hang(): string | null {
    const { worker } = this.#anyPlace() ?? {}
    if (worker === undefined || worker === null) return null
    const { database } = worker
    database.hang()
    return `${worker.id}, ${this.#undoAfter(() => database.goOn())}`
  }

  fillDisk(): string | null {
    const { worker } = this.#anyPlace() ?? {}
    if (worker === undefined || worker === null) return null
    const { disk } = worker
    disk.full = true
    const undo = () => {
      disk.full = false
    }
    return `${worker.id}, ${this.#undoAfter(undo)}`
  }

  strikeOrchestrator(): string | null {
    return this.#orchestrators.strike(undo => this.#undoAfter(undo))
  }

  sendSupervisorAway(): string {
    const places = this.#places
    places.away = true
    return this.#undoAfter(() => {
      places.away = false
    })
  }

  /**
   * Hears neither of the others nor, mostly, of `/state`, and goes on serving what the
   * shared queues give it: for it alone, nothing has changed. Often it can commit nothing
   * either, so that no write of its own keeps it from answering reads.
   */
  deafen(isMaster: boolean): string | null {
    const place = isMaster ? this.#masterPlace() : this.#anyPlace()
    if (place === undefined) return null
    const { rabbitmq } = this.#world
    const { machine } = place
    const isCut = this.#dice.chance(0.8)
    rabbitmq.deaf.add(machine)
    if (isCut) machine.zookeeper.cut('both')
    const forMs = this.#dice.between(400, 1_500)
    if (place.worker !== null && this.#dice.chance(0.5)) this.#stall(place.worker, forMs)
    const { timeline } = this.#world
    timeline.after(forMs, () => rabbitmq.deaf.delete(machine))
    if (isCut) timeline.after(forMs, () => machine.zookeeper.mend())
    return `${nameOf(place)}, ${forMs} ms`
  }

  fillQueue(): string {
    const { rabbitmq } = this.#world
    const queue =
      this.#dice.pick([rabbitmq.writeQ, rabbitmq.readQ, rabbitmq.strongQ]) ?? rabbitmq.writeQ
    queue.full = true
    return this.#undoAfter(() => {
      queue.full = false
    })
  }

  /** A handover, or that a worker leaves. */
  wish(): string | null {
    const { zookeeper } = this.#world
    if (!zookeeper.up) return null
    const { node, wishes } = zookeeper.now
    if (this.#dice.chance(0.5)) {
      zookeeper.setWishes({ ...wishes, handoverOf: node.state.term })
      return `another master than that of term ${node.state.term}`
    }
    const id = this.#anyPlace()?.workerId
    if (typeof id !== 'string' || wishes.leaving.length > 0) return null
    zookeeper.setWishes({ ...wishes, leaving: [id] })
    return `${id} is to leave`
  }

  slowZooKeeper(): string {
    const { zookeeper } = this.#world
    zookeeper.slow = this.#dice.next() * 0.6
    return this.#undoAfter(() => {
      zookeeper.slow = 0
    })
  }

  stallCommits(): string | null {
    const { worker } = this.#anyPlace() ?? {}
    if (worker === undefined || worker === null) return null
    const forMs = this.#dice.between(20, 900)
    this.#stall(worker, forMs)
    return `${worker.id}, ${forMs} ms`
  }

  #stall({ database }: Worker, forMs: number): void {
    database.stalledUntilMs = this.#world.timeline.nowMs + forMs
  }

  /** Something strikes a worker when it is half done with something. */
  ambush(): string {
    const [moment, how] = this.#dice.pick(MOMENTS) ?? ['committed', 'kill']
    this.#world.ambush.lay(moment, id => {
      const place = this.#places.all.find(({ workerId }) => workerId === id)
      if (place === undefined) return
      this.#world.note?.(`ambush: ${id} (${moment}): ${how}`)
      // Later in the same moment: what is being decided is decided.
      this.#world.timeline.after(0, () => this.#strikeAt(place, how))
    })
    return `${how} who is next (${moment})`
  }

  #strikeAt(place: Place, how: How): void {
    if (how === 'kill') place.kill()
    else if (how === 'pause') this.#pause(place)
    else if (how === 'expire') this.#expire(place)
    else
      this.#cut(place, this.#dice.chance(0.5) ? [place.machine.rabbit] : [place.machine.zookeeper])
  }

  heal(): void {
    const { rabbitmq, zookeeper, disks } = this.#world
    rabbitmq.weather = CALM
    zookeeper.slow = 0
    this.#world.ambush.lift()
    rabbitmq.deaf.clear()
    for (const queue of [rabbitmq.writeQ, rabbitmq.readQ, rabbitmq.strongQ]) queue.full = false
    if (!rabbitmq.up) rabbitmq.start()
    if (!zookeeper.up) zookeeper.start()
    this.#places.away = false
    for (const disk of disks.values()) disk.full = false
    for (const { machine, process, worker } of this.#places.all) {
      machine.rabbit.mend()
      machine.zookeeper.mend()
      process?.resume()
      worker?.database.goOn()
      if (worker !== null) worker.database.stalledUntilMs = 0
    }
    this.#orchestrators.heal()
  }
}

const nameOf = ({ worker, machine }: Place): string => worker?.id ?? machine.name
