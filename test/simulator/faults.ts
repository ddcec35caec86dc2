/**
 * What goes wrong in a schedule, drawn from the dice: each fault strikes something and,
 * unless it is final, is undone after a while. `heal` undoes all that is left.
 */
import type { Moment } from './ambush.ts'
import { Operator } from './operator.ts'
import type { Orchestrators } from './orchestrators.ts'
import type { Places } from './places.ts'
import { ServerFaults } from './server-faults.ts'
import { type How, WorkerFaults } from './worker-faults.ts'
import type { World } from './world.ts'

type Fault = (faults: Faults) => string | null

/** Name, weight, and what it does; null when there is nothing to strike. */
const FAULTS: readonly (readonly [string, number, Fault])[] = [
  ['crash', 10, ({ workers }) => workers.crash()],
  ['crash of the master', 8, ({ workers }) => workers.crashMaster()],
  ['crash of all workers', 1, ({ workers }) => workers.crashAll()],
  ['loss of data', 3, ({ workers }) => workers.loseData()],
  ['pause', 10, ({ workers }) => workers.pause()],
  ['pause of the master', 8, ({ workers }) => workers.pauseMaster()],
  ['session expiry', 6, ({ workers }) => workers.expireSession()],
  ['cut from RabbitMQ', 8, ({ workers }) => workers.cut(place => [place.machine.rabbit])],
  ['cut from ZooKeeper', 8, ({ workers }) => workers.cut(place => [place.machine.zookeeper])],
  [
    'cut from both',
    6,
    ({ workers }) => workers.cut(({ machine }) => [machine.rabbit, machine.zookeeper])
  ],
  ['bad weather', 8, ({ servers }) => servers.storm()],
  ['RabbitMQ restarts', 2, ({ servers }) => servers.restartRabbit()],
  ['ZooKeeper restarts', 3, ({ servers }) => servers.restartZooKeeper()],
  ['all sessions end', 4, ({ servers }) => servers.freezeZooKeeper()],
  ['PostgreSQL dies', 3, ({ workers }) => workers.killDatabase()],
  ['rows in doubt', 2, ({ workers }) => workers.doubtRows()],
  ['PostgreSQL hangs', 5, ({ workers }) => workers.hang()],
  ['disk full', 3, ({ workers }) => workers.fillDisk()],
  ['orchestrator', 6, faults => faults.strikeOrchestrator()],
  ['deaf orchestrator', 12, faults => faults.deafenOrchestrator()],
  ['supervisor away', 3, faults => faults.sendSupervisorAway()],
  ['ZooKeeper loses its memory', 1, faults => faults.forgetZooKeeper()],
  ['wish', 4, faults => faults.wish()],
  ['freeze', 3, faults => faults.freeze()],
  ['slow ZooKeeper', 4, ({ servers }) => servers.slowZooKeeper()],
  ['clock jumps', 3, ({ workers }) => workers.jumpClock()],
  ['slow commits', 6, ({ workers }) => workers.stallCommits()],
  ['deaf master', 12, ({ workers }) => workers.deafen(true)],
  ['deaf worker', 10, ({ workers }) => workers.deafen(false)],
  ['full queue', 3, ({ servers }) => servers.fillQueue()],
  ['ambush', 14, faults => faults.ambush()]
]

/** When an ambush strikes, and how. */
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
  ['joining', 'expire'],
  ['joining', 'kill'],
  ['role', 'kill'],
  ['role', 'pause'],
  ['role', 'expire']
]
const WEIGHT = FAULTS.reduce((sum, [, weight]) => sum + weight, 0)

export class Faults {
  readonly workers: WorkerFaults
  readonly servers: ServerFaults
  readonly #world: World
  readonly #places: Places
  readonly #orchestrators: Orchestrators
  readonly #operator: Operator

  constructor(world: World, places: Places, orchestrators: Orchestrators) {
    this.workers = new WorkerFaults(world, places)
    this.servers = new ServerFaults(world)
    this.#world = world
    this.#places = places
    this.#orchestrators = orchestrators
    this.#operator = new Operator(world, places)
    this.#next()
  }

  #next(): void {
    const { timeline, plan } = this.#world
    timeline.after(this.#world.dice.next() * 2 * plan.calmMs, () => {
      if (timeline.nowMs >= plan.faultsMs) return
      this.#strike()
      // Troubles seldom come alone.
      if (this.#world.dice.chance(0.25)) this.#strike()
      this.#next()
    })
  }

  #strike(): void {
    const { plan, figures, note } = this.#world
    if (plan.onlySessions) {
      const what = this.servers.freezeZooKeeper()
      if (what === null) return
      figures.faults += 1
      note?.(`FAULT all sessions end: ${what}`)
      return
    }
    let at = this.#world.dice.next() * WEIGHT
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

  strikeOrchestrator(): string | null {
    return this.#orchestrators.strike(undo => this.#world.forAWhile(undo))
  }

  deafenOrchestrator(): string | null {
    return this.#orchestrators.deafen(undo => this.#world.forAWhile(undo))
  }

  sendSupervisorAway(): string {
    const places = this.#places
    places.away = true
    return this.#world.forAWhile(() => {
      places.away = false
    })
  }

  forgetZooKeeper(): string | null {
    const { zookeeper } = this.#world
    // Before anybody has led there is nothing to lose: a cluster is made anew.
    if (!zookeeper.up || zookeeper.now.node.state.term === 0) return null
    zookeeper.forget()
    this.#operator.call()
    return 'all of it'
  }

  /** A handover, or that a worker leaves. */
  wish(): string | null {
    const { zookeeper } = this.#world
    if (!zookeeper.up) return null
    const { node, wishes } = zookeeper.now
    if (this.#world.dice.chance(0.5)) {
      zookeeper.setWishes({ ...wishes, handoverOf: node.state.term })
      return `another master than that of term ${node.state.term}`
    }
    const id = this.workers.anyPlace()?.workerId
    if (typeof id !== 'string' || wishes.leaving.length > 0) return null
    zookeeper.setWishes({ ...wishes, leaving: [id] })
    return `${id} is to leave`
  }

  /** An operator has a worker take no more reads; those who are frozen may be all. */
  freeze(): string | null {
    const { zookeeper } = this.#world
    const id = this.workers.anyPlace()?.workerId
    if (!zookeeper.up || typeof id !== 'string') return null
    zookeeper.setFrozen([...zookeeper.now.frozen, id])
    const thaw = () => {
      if (zookeeper.up) zookeeper.setFrozen(zookeeper.now.frozen.filter(one => one !== id))
    }
    return `${id}, ${this.#world.forAWhile(thaw)}`
  }

  /** Something strikes a worker when it is half done with something. */
  ambush(): string {
    const [moment, how] = this.#world.dice.pick(MOMENTS) ?? ['committed', 'kill']
    this.#world.ambush.lay(moment, id => {
      const place = this.#places.all.find(one => one.workerId === id || one.machine.name === id)
      if (place === undefined) return
      this.#world.note?.(`ambush: ${id} (${moment}): ${how}`)
      // Later in the same moment: what is being decided is decided.
      this.#world.timeline.after(0, () => this.workers.strikeAt(place, how))
    })
    return `${how} who is next (${moment})`
  }

  heal(): void {
    this.#world.ambush.lift()
    this.#places.away = false
    this.servers.heal()
    this.workers.heal()
    this.#orchestrators.heal()
    this.#world.zookeeper.setFrozen([])
  }
}
