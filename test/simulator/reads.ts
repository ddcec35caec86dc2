/**
 * Reads at a simulated worker, as workers/reads.ts and read-session.ts do them: takes
 * them from a shared queue while it may, and answers when what they show is committed.
 */
import { barrierFor, isBeyond, mayLeave } from '../../workers/protocol/answers.ts'
import { mayServe } from '../../workers/protocol/view.ts'
import type { Connection } from './rabbitmq-client.ts'
import { bodyOf, LOG_END, type ReadCommand, type ReadMessage } from './requests.ts'
import { readRow } from './rows.ts'
import type { Consumer, Delivery } from './shared-queue.ts'
import { Switch } from './switch.ts'
import type { Worker } from './worker.ts'
import type { World } from './world.ts'

const PREFETCH = 8

interface Job {
  readonly delivery: Delivery
  readonly replyTo: string
  readonly takenMs: number
  left: number
}

/** One read's result, ready to go. */
export interface ReadResult {
  readonly read: ReadCommand
  readonly takenMs: number
  readonly index: number
  readonly status: number
  readonly result: string
}

interface Held {
  readonly index: number
  barrier?: number | null
  readonly job: Job
  readonly shown: readonly ReadResult[]
}

export class Reads {
  readonly #switch: Switch
  readonly #sessions = new Set<ReadSession>()
  #consuming: ReadSession | null = null
  #giveBack = false

  constructor(world: World, worker: Worker, queue: 'readQ' | 'strongQ') {
    this.#switch = new Switch(world, worker, {
      start: connection => {
        const session = new ReadSession(world, { worker, connection, strong: queue === 'strongQ' })
        this.#sessions.add(session)
        this.#consuming = session
      },
      stop: () => {
        if (!this.#giveBack) this.#consuming?.finish()
        else for (const session of this.#sessions) session.close()
        this.#consuming = null
      }
    })
  }

  follow(connection: Connection | null, how: { term: number; giveBack: boolean }): void {
    this.#giveBack = how.giveBack
    this.#switch.set(connection, how.term)
  }

  step(): void {
    for (const session of this.#sessions) if (!session.step()) this.#sessions.delete(session)
  }
}

class ReadSession {
  readonly #world: World
  readonly #worker: Worker
  readonly #connection: Connection
  readonly #strong: boolean
  readonly #consumer: Consumer
  #held: Held[] = []
  #late: { readonly untilMs: number; readonly index: number; readonly go: () => void }[] = []
  #open = true
  #finishing = false
  #inWork = 0

  constructor(world: World, of: { worker: Worker; connection: Connection; strong: boolean }) {
    this.#world = world
    this.#worker = of.worker
    this.#connection = of.connection
    this.#strong = of.strong
    const queue = of.strong ? world.rabbitmq.strongQ : world.rabbitmq.readQ
    this.#consumer = of.connection.consume(queue, PREFETCH, delivery => this.#take(delivery))
  }

  close(): void {
    if (!this.#open) return
    this.#open = false
    this.#held = []
    for (const read of this.#late.splice(0)) read.go()
    this.#consumer.close()
  }

  finish(): void {
    this.#finishing = true
    this.#consumer.cancel()
  }

  /** Lets go what may go. @returns false when this session is over */
  step(): boolean {
    const { view } = this.#worker
    if (this.#late.length > 0) this.#wakeLate()
    if (this.#held.length > 0) {
      const leaving = this.#held.filter(held => mayLeave(held, view))
      if (leaving.length > 0) this.#held = this.#held.filter(held => !leaving.includes(held))
      for (const held of leaving) this.#send(held)
      if (this.#strong) this.#wantBarrier()
    }
    if (!this.#connection.open) this.close()
    if (this.#finishing && (this.#inWork === 0 || view.diverged)) this.close()
    return this.#open
  }

  #take(delivery: Delivery): void {
    if (!this.#open) return
    const { nowMs } = this.#world.timeline
    if (!this.#strong && !mayServe(this.#worker.state, nowMs)) {
      this.#consumer.nack(delivery, 'requeue')
      return
    }
    this.#inWork += 1
    const { replyTo, reads } = delivery.queued.body as ReadMessage
    const job: Job = { delivery, replyTo, takenMs: nowMs, left: reads.length }
    const late = this.#strong ? [] : reads.filter(read => this.#isBeyond(read))
    this.#serve(job, late.length === 0 ? reads : reads.filter(read => !late.includes(read)))
    this.#serveLate(job, late)
  }

  #isBeyond(read: ReadCommand): boolean {
    return isBeyond(read.minIndex, this.#worker.state)
  }

  #wakeLate(): void {
    const applied = this.#worker.state.last.index
    const { nowMs } = this.#world.timeline
    const ready = this.#late.filter(read => read.index <= applied || read.untilMs <= nowMs)
    if (ready.length === 0) return
    this.#late = this.#late.filter(read => !ready.includes(read))
    for (const read of ready) read.go()
  }

  /** Waits for the index; what does not get it in time goes to the master. */
  #serveLate(job: Job, reads: readonly ReadCommand[]): void {
    if (reads.length === 0) return
    const index = Math.max(...reads.map(({ minIndex }) => minIndex))
    const untilMs = this.#world.timeline.nowMs + this.#world.plan.sessionWaitMs
    const go = () => {
      const beyond = reads.filter(read => this.#isBeyond(read))
      if (beyond.length > 0) this.#forward(job, beyond)
      this.#serve(
        job,
        reads.filter(read => !beyond.includes(read))
      )
    }
    this.#late.push({ index, untilMs, go })
  }

  #forward(job: Job, reads: readonly ReadCommand[]): void {
    if (!this.#open) return
    const body: ReadMessage = { kind: 'reads', replyTo: job.replyTo, reads }
    const ttlMs = job.delivery.queued.expiresAtMs - this.#world.timeline.nowMs
    this.#connection.publish(this.#world.rabbitmq.strongQ, { body, ttlMs })
    this.#settle(job, reads.length)
  }

  /** Each in a snapshot that also tells the applied index. */
  #serve(job: Job, reads: readonly ReadCommand[]): void {
    if (reads.length === 0) return
    const { database, disk, state } = this.#worker
    const end = state.last.index
    database.after(this.#world.delay(), () => {
      const { index } = disk.last
      const shown = reads.map((read): ReadResult => {
        const isUnknown = this.#strong && read.minIndex > end
        const result = read.key === LOG_END ? this.#whoLeads : readRow(disk.rows, read.key)
        const { takenMs } = job
        return isUnknown
          ? { read, takenMs, index: 0, status: 400, result: '' }
          : { read, takenMs, index, status: 200, result }
      })
      const applied = Math.max(...shown.map(one => one.index))
      this.#worker.soon(() => {
        if (!this.#open) return
        const barrier = this.#strong ? { barrier: null } : {}
        this.#held.push({ index: applied, ...barrier, job, shown })
        this.step()
      })
    })
  }

  get #whoLeads(): string {
    return `${this.#worker.view.term} ${this.#worker.id}`
  }

  #send({ job, shown }: Held): void {
    for (const one of shown) this.#world.judge.showed(this.#worker, one)
    const replies = shown.map(({ read, index, status, result }) => {
      return { id: read.readId, kind: 'read', status, body: bodyOf(index, result) } as const
    })
    this.#connection.send(job.replyTo, replies)
    this.#settle(job, shown.length)
  }

  #settle(job: Job, reads: number): void {
    job.left -= reads
    if (job.left > 0) return
    this.#consumer.ack(job.delivery)
    this.#inWork -= 1
  }

  /** One barrier, sent after the snapshots were taken, serves all reads that wait. */
  #wantBarrier(): void {
    const barrier = barrierFor(this.#held, this.#worker.state.role, this.#worker.view)
    if (barrier === null) return
    for (const held of this.#held) held.barrier ??= barrier
    this.#worker.dispatch({ kind: 'barrierWanted' })
  }
}
