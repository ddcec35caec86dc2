/**
 * A simulated orchestrator: the lanes and the pending requests of production, with the
 * simulated RabbitMQ below. It does what orchestrator/lanes/dispatch.ts does.
 */

import { Lane, type LaneLimits } from '../../orchestrator/lanes/lane.ts'
import {
  type PendingRead,
  PendingReads,
  pendingRead,
  type ReadLane
} from '../../orchestrator/lanes/pending-reads.ts'
import {
  type Answer,
  type Caller,
  isRepeated,
  latestDeadlineMs,
  type PendingWrite,
  PendingWrites,
  type WriteAsk
} from '../../orchestrator/lanes/pending-writes.ts'
import { OverloadedError, type ServiceError } from '../../wire/errors.ts'
import type { Message } from '../../workers/protocol/messages.ts'
import type { Machine } from './cable.ts'
import { KeptReads } from './kept-reads.ts'
import { Process } from './process.ts'
import { type Connection, RabbitClient } from './rabbitmq-client.ts'
import { LOG_END, type ReadCommand, type Reply } from './requests.ts'
import type { World } from './world.ts'
import { ZooKeeperClient } from './zookeeper-client.ts'

const SWEEP_MS = 60
const PROOFS_PER_AGE = 5
const ASKED_AGAIN_MS = 10
const LANES: LaneLimits = {
  inFlightMax: 3,
  unconfirmedMax: 4,
  holdMs: 60,
  afterAnswersMs: 0,
  besideOthersMs: 0,
  batchMax: 4,
  batchMaxBytes: 100_000,
  waitingMax: 200,
  waitingMaxBytes: 1_000_000
}

const FULL = new OverloadedError('the queue is full')

export type AskedRead = Omit<ReadCommand, 'readId'>

export class Orchestrator extends Process {
  readonly id: string
  readonly #writes: PendingWrites
  readonly #reads: PendingReads
  readonly #writeLane = new Lane<PendingWrite>(LANES)
  readonly #readLanes = {
    readQ: new Lane<PendingRead>(LANES),
    strongQ: new Lane<PendingRead>(LANES)
  }
  readonly #asked = new Map<string, AskedRead>()
  readonly #kept: KeptReads | null
  readonly #zookeeper: ZooKeeperClient
  #connection: Connection | null = null
  #replyTo = ''
  /** The term that it knows. */
  term = 0
  #readCount = 0

  constructor(world: World, of: { id: string; machine: Machine }) {
    super(world)
    this.id = of.id
    this.#writes = new PendingWrites(world.plan.hedgeMs)
    this.#reads = new PendingReads(world.plan.hedgeMs)
    this.#kept = world.plan.keepsReads ? new KeptReads(world, this.id) : null
    this.#zookeeper = new ZooKeeperClient(world, {
      process: this,
      machine: of.machine,
      listener: {
        expired: () => {},
        contact: () => {},
        stateChanged: () => this.#readState(),
        watches: false,
        shown: () => {}
      }
    })
    const listener = {
      up: (connection: Connection) => this.#connect(connection),
      down: () => this.#disconnect()
    }
    new RabbitClient(world, { process: this, machine: of.machine, listener })
    this.after(SWEEP_MS * world.dice.next(), () => this.#sweep())
    if (this.#kept === null) return
    this.#prove(this.#kept)
    this.#askAgain(this.#kept)
  }

  write(ask: Omit<WriteAsk, 'deadlineMs' | 'mayRepeat'>, ttlMs: number, caller: Caller): void {
    const deadlineMs = this.world.timeline.nowMs + ttlMs
    let added: ReturnType<PendingWrites['add']>
    try {
      added = this.#writes.add({ ...ask, mayRepeat: true, deadlineMs }, caller)
    } catch (error) {
      caller.refuse(error as ServiceError)
      return
    }
    const { write, joined } = added
    if (joined) {
      if (write.sends > 0) this.#writeLane.again([write])
    } else if (!this.#writeLane.offer(write)) {
      this.#writes.refused(write, new OverloadedError('too many writes wait'))
    }
    this.#flush()
  }

  read(asked: AskedRead, ttlMs: number, caller: Caller): void {
    const kept = asked.consistency === 'strong' ? null : this.#kept
    const { body, place } = kept?.look(asked) ?? { body: null, place: null }
    if (body !== null) {
      caller.answer({ status: 200, body })
      return
    }
    const answer = (answer: Answer) => {
      if (place !== null && answer.status === 200) kept?.keep(place, answer.body)
      caller.answer(answer)
    }
    this.#askFor(asked, ttlMs, { ...caller, answer })
  }

  /** Asks the master for proofs of what is heard, for ever. */
  #prove(kept: KeptReads): void {
    const everyMs = this.world.plan.settings.maxReadAgeMs / PROOFS_PER_AGE
    const askedMs = this.world.timeline.nowMs
    const answer = ({ status, body }: Answer) => {
      if (status === 200) kept.prove(askedMs, body)
    }
    const asked = { key: LOG_END, consistency: 'strong', minIndex: 0, askedMs } as const
    this.#askFor(asked, PROOFS_PER_AGE * everyMs, { answer, refuse: () => {} })
    this.after(everyMs, () => this.#prove(kept))
  }

  #askAgain(kept: KeptReads): void {
    kept.askAgain()
    this.after(ASKED_AGAIN_MS, () => this.#askAgain(kept))
  }

  #askFor(asked: AskedRead, ttlMs: number, caller: Caller): void {
    const lane = asked.consistency === 'strong' ? 'strongQ' : 'readQ'
    const readId = String(this.#readCount++)
    const deadlineMs = this.world.timeline.nowMs + ttlMs
    const { key: sql } = asked
    const what = { readId, client: '', traceId: '', sql, text: '', pace: 'quick' } as const
    const read = pendingRead({ ...what, deadlineMs, askedOf: lane, caller })
    this.#asked.set(readId, asked)
    this.#reads.add(read)
    if (!this.#readLanes[lane].offer(read)) {
      this.#reads.refused(read, new OverloadedError('too many reads wait'))
    }
    this.#flush()
  }

  #readState(): void {
    this.#zookeeper.read(shown => {
      if (shown !== undefined) this.#newTerm(shown.node.state.term)
    })
  }

  /** What a former master may hold is sent again. */
  #newTerm(term: number): void {
    if (term <= this.term) return
    this.term = term
    this.#writeLane.again(this.#writes.newTerm(term, false))
    this.#readLanes.strongQ.again(this.#reads.toMaster())
    this.#flush()
  }

  #connect(connection: Connection): void {
    const replyTo = `reply.${this.id}.${connection.n}`
    this.after(this.world.delay(), () => {
      if (!connection.open || !connection.atBroker) return
      connection.inboxes.push(replyTo)
      const receive = (letter: unknown) => this.#onReplies(letter as readonly Reply[])
      this.world.rabbitmq.open(replyTo, { connection, receive, lastAtMs: 0 }, false)
      this.#listen(connection)
      this.#connection = connection
      this.#replyTo = replyTo
      // Replies to the last link's queue are lost: all that is unanswered goes out again.
      this.#writeLane.again([...this.#writes.all])
      const reads = this.#reads.connected()
      for (const lane of ['readQ', 'strongQ'] as const) {
        this.#readLanes[lane].again(reads.filter(read => read.lane === lane))
      }
      this.#flush()
    })
  }

  #listen(connection: Connection): void {
    const kept = this.#kept
    if (kept === null) return
    const queue = `cache.${this.id}.${connection.n}`
    connection.inboxes.push(queue)
    const receive = (letter: unknown) => kept.hear(letter as Message)
    this.world.rabbitmq.open(queue, { connection, receive, lastAtMs: 0 }, true)
  }

  #disconnect(): void {
    this.#connection = null
    for (const lane of [this.#writeLane, this.#readLanes.readQ, this.#readLanes.strongQ]) {
      lane.disconnect()
    }
  }

  #flush(): void {
    this.#sendWrites()
    this.#sendReads('readQ')
    this.#sendReads('strongQ')
  }

  #sendWrites(): void {
    const connection = this.#connection
    const { nowMs } = this.world.timeline
    const lane = this.#writeLane
    for (;;) {
      const batch = connection === null ? undefined : lane.next(nowMs)
      if (batch === undefined || connection === null) return
      let ttlMs = 1
      const commands = batch.items.map(write => {
        this.#writes.sent(write, this.term, nowMs)
        const leftMs = latestDeadlineMs(write) - nowMs
        ttlMs = Math.max(ttlMs, leftMs)
        const { requestId, commandHash, statements: statement } = write
        const marks = { suspect: write.suspect, again: isRepeated(write) }
        return { requestId, commandHash, statement, ttlMs: leftMs, ...marks }
      })
      const body = { kind: 'writes', replyTo: this.#replyTo, term: this.term, commands } as const
      connection.publish(this.world.rabbitmq.writeQ, { body, ttlMs }, taken => {
        lane.heard(batch)
        const refused = taken ? [] : batch.items.filter(one => this.#writes.refused(one, FULL))
        for (const one of refused) lane.settle(one)
        this.#flush()
      })
    }
  }

  #sendReads(name: ReadLane): void {
    const connection = this.#connection
    const { nowMs } = this.world.timeline
    const lane = this.#readLanes[name]
    for (;;) {
      const batch = connection === null ? undefined : lane.next(nowMs)
      if (batch === undefined || connection === null) return
      const reads = batch.items.map(read => {
        this.#reads.sent(read, name, nowMs)
        return { readId: read.readId, ...(this.#asked.get(read.readId) as AskedRead) }
      })
      const ttlMs = Math.max(1, ...batch.items.map(read => read.deadlineMs - nowMs))
      const body = { kind: 'reads', replyTo: this.#replyTo, reads } as const
      connection.publish(this.world.rabbitmq[name], { body, ttlMs }, taken => {
        lane.heard(batch)
        const refused = taken ? [] : batch.items.filter(one => this.#reads.refused(one, FULL))
        for (const one of refused) this.#settleRead(one)
        this.#flush()
      })
    }
  }

  #onReplies(replies: readonly Reply[]): void {
    const { nowMs } = this.world.timeline
    for (const { id, kind, status, body } of replies) {
      const answer: Answer = { status, body }
      if (kind === 'write') {
        const write = this.#writes.reply(id, answer, nowMs)
        if (write !== undefined) this.#writeLane.settle(write)
      } else {
        const read = this.#reads.reply(id, answer, nowMs)
        if (read !== undefined) this.#settleRead(read)
      }
    }
    this.#flush()
  }

  #settleRead(read: PendingRead): void {
    this.#asked.delete(read.readId)
    this.#readLanes.readQ.settle(read)
    this.#readLanes.strongQ.settle(read)
  }

  #sweep(): void {
    const { nowMs } = this.world.timeline
    for (const write of this.#writes.expire(nowMs)) this.#writeLane.settle(write)
    for (const read of this.#reads.expire(nowMs)) this.#settleRead(read)
    if (this.#connection !== null) {
      this.#writeLane.again(this.#writes.hedge(nowMs))
      this.#readLanes.strongQ.again(this.#reads.hedge(nowMs))
    }
    this.#flush()
    this.after(SWEEP_MS, () => this.#sweep())
  }
}
