/**
 * One bad day of a simulated cluster: clients write, faults strike, and after every
 * moment the invariants are checked. At the end all is healed, and the cluster has
 * to serve again with equal logs.
 */
import assert from 'node:assert/strict'
import type { Settings } from '../../workers/protocol/state.ts'
import { type Disk, Node, type Write } from './node.ts'
import { Dice } from './random.ts'
import { World } from './world.ts'

const SETTINGS: Settings = {
  minCopies: 2,
  heartbeatMs: 100,
  replicaTimeoutMs: 1_000,
  electionStepMs: 100,
  maxReadAgeMs: 1_100,
  masterStallMs: 2_000
}
const DAY_MS = 20_000
const HEAL_MS = 15_000

export class Cluster {
  readonly world: World
  readonly nodes = new Map<string, Node>()
  readonly disks = new Map<string, Disk>()
  /** Writes that a client was told of, by id: the checksum of their entry says which history. */
  readonly acknowledged = new Map<string, { index: number; checksum: string }>()
  readonly #workers: number
  /** The newest acknowledged entries are the ones that can be missing. */
  #newest: { index: number; checksum: string }[] = []
  #open: Write[] = []
  #written = 0
  #made = 0
  #wellSinceMs = 0

  constructor(seed: number, workers: number) {
    this.world = new World(new Dice(seed))
    this.#workers = workers
  }

  run(): void {
    for (let i = 0; i < this.#workers; i++) this.#newWorker()
    this.#clients()
    this.#supervise()
    this.#faults()
    while (this.world.step(DAY_MS)) this.#check()
    this.#heal()
    while (this.world.step(DAY_MS + HEAL_MS)) this.#check()
    this.#checkEnd()
  }

  #newWorker(): void {
    const id = `w${this.#made + 1}`
    this.disks.set(id, { term: 0, log: [], results: new Map() })
    this.#start(id)
  }

  #start(id: string): void {
    const { world } = this
    const disk = this.disks.get(id)
    assert(disk !== undefined)
    this.#made += 1
    const onAnswer = (node: Node, write: Write, index: number) => this.#answered(node, write, index)
    const pid = 1_000 + this.#made
    const node = new Node({ id, pid, disk, settings: SETTINGS, world, onAnswer })
    this.nodes.set(id, node)
    world.inhabitants.set(id, node)
    world.note(`${id} starts with ${disk.log.length} entries, term ${disk.term}`)
  }

  /** Writes arrive all the time; one that has no answer is sent again with the same id. */
  #clients(): void {
    const { world } = this
    world.after(world.dice.between(1, 30), () => {
      if (world.nowMs < DAY_MS + HEAL_MS - 5_000) {
        this.#written += 1
        this.#open.push({ id: `r${this.#written}`, askedMs: world.nowMs })
      }
      const leader = world.dice.pick([...this.nodes.values()].filter(node => node.view.leads))
      const batch = this.#open.filter(() => world.dice.chance(0.5)).slice(0, 10)
      if (leader !== undefined && batch.length > 0) leader.offer(batch)
      this.#clients()
    })
  }

  #answered(node: Node, write: Write, index: number): void {
    const entry = node.disk.log[index - 1]
    assert(entry !== undefined && entry.requestId === write.id, `${node.id} answers out of its log`)
    this.#open = this.#open.filter(({ id }) => id !== write.id)
    const before = this.acknowledged.get(write.id)
    if (before === undefined) {
      const told = { index, checksum: entry.checksum }
      this.acknowledged.set(write.id, told)
      this.#newest = [...this.#newest.slice(-2), told]
    } else assert.equal(entry.checksum, before.checksum, `${write.id} has two outcomes`)
  }

  /** Starts again what died, replaces what lost its data. */
  #supervise(): void {
    const { world } = this
    world.after(300, () => {
      for (const [id, node] of this.nodes) {
        if (node.alive) continue
        if (world.dice.chance(0.6)) world.setZnode(id, null)
        const named = world.state.state.inSync.includes(id)
        if (node.state.diverged !== null && !named) {
          this.nodes.delete(id)
          this.disks.delete(id)
          this.#newWorker()
        } else if (world.dice.chance(0.5)) this.#start(id)
      }
      this.#supervise()
    })
  }

  #faults(): void {
    const { world } = this
    const { dice } = world
    world.after(dice.between(100, 1_500), () => {
      if (world.nowMs > DAY_MS) return
      const node = dice.pick([...this.nodes.values()].filter(({ alive }) => alive))
      if (node !== undefined) this.#strike(node, dice.between(1, 8))
      this.#faults()
    })
  }

  #strike(node: Node, fault: number): void {
    const { world } = this
    const { dice } = world
    world.note(`fault ${fault} at ${node.id}`)
    if (fault <= 2) {
      node.crash()
      if (dice.chance(0.7))
        world.after(5, () => this.nodes.get(node.id) === node && world.setZnode(node.id, null))
    } else if (fault === 3) node.pause(dice.between(50, 4_000))
    else if (fault === 4) node.expireSession()
    else if (fault === 5) {
      world.cut.add(node.id)
      world.after(dice.between(50, 3_000), () => world.cut.delete(node.id))
    } else if (fault === 6) {
      node.disconnect()
      world.after(dice.between(50, 4_000), () => this.nodes.get(node.id)?.connect())
    } else if (fault === 7) {
      Object.assign(world.faults, { lose: dice.next() * 0.3, double: 0.1, slow: dice.next() * 0.2 })
    } else Object.assign(world.faults, { lose: 0, double: 0, slow: 0 })
  }

  #heal(): void {
    const { world } = this
    world.note('healed')
    world.cut.clear()
    Object.assign(world.faults, { lose: 0, double: 0, slow: 0 })
    for (const node of this.nodes.values()) if (node.alive && !node.state.amqp) node.connect()
    this.#wellSinceMs = world.nowMs
  }

  /** NAMED: every worker that `/state` names has every acknowledged entry. */
  #check(): void {
    for (const id of this.world.state.state.inSync) {
      const log = this.disks.get(id)?.log
      if (log === undefined) continue
      const length = log.length
      for (const { index, checksum } of this.#newest) {
        assert(index <= length, `${id} is named and lacks entry ${index}`)
        assert.equal(log[index - 1]?.checksum, checksum, `${id} is named and differs at ${index}`)
      }
    }
  }

  #checkEnd(): void {
    assert.equal(this.world.falseDivergences, 0, 'no sound worker calls its rows doubtful')
    const leaders = [...this.nodes.values()].filter(node => node.alive && node.view.leads)
    assert.equal(leaders.length, 1, `one master after ${this.world.nowMs - this.#wellSinceMs} ms`)
    const [leader] = leaders
    assert(leader !== undefined)
    const { inSync } = this.world.state.state
    assert.equal(inSync.length, this.#workers, `all workers are in sync: ${inSync}`)
    for (const id of inSync) {
      assert.deepEqual(this.disks.get(id)?.log.at(-1), leader.disk.log.at(-1), `${id} is equal`)
    }
    const ids = leader.disk.log.map(entry => entry.requestId).filter(id => id !== '')
    assert.equal(new Set(ids).size, ids.length, 'nothing is applied twice')
    for (const [id, { index, checksum }] of this.acknowledged) {
      assert.equal(leader.disk.log[index - 1]?.checksum, checksum, `${id} is where it was`)
    }
    assert.equal(this.#open.length, 0, 'every write is answered')
  }
}
