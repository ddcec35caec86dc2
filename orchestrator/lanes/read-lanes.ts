/**
 * All reads on their way to workers: they wait in shares, go through lanes, and stay pending
 * until a reply, a refusal or their deadline. Each queue has two lanes, so that no message
 * holds quick reads beside others (docs/decisions/reads-are-fair.md). Pure: the caller gives
 * the time and does the sending.
 */

import { LASTS_MS, type Pace, Paces } from '../../platform/shares/paces.ts'
import { OverloadedError } from '../../wire/errors.ts'
import type { Note } from '../../wire/requests.ts'
import { RequestHarmfulError } from '../errors.ts'
import { HarmfulReads } from './harmful-reads.ts'
import { Lane, type LaneLimits } from './lane.ts'
import { type PendingRead, PendingReads, pendingRead, type ReadLane } from './pending-reads.ts'
import type { Answer, Caller } from './pending-writes.ts'
import { ReadShares } from './read-shares.ts'
import { LARGE_BYTES } from './write-lanes.ts'

const QUEUES = ['readQ', 'strongQ'] as const

/** Of the wire's read, without what the sending adds. */
export interface ReadFields {
  readonly client?: string
  readonly sql?: string
  readonly params?: readonly unknown[]
  /** Under which the call is logged; not for the workers. */
  readonly traceId?: string
}

export interface ReadReply extends Answer {
  readonly id: string
  readonly note?: Note
  readonly sending?: number
  readonly tookMs?: number
}

/** One lane of a queue, and how it gets what it sends. */
export interface ReadRoad {
  readonly queue: ReadLane
  readonly lane: Lane<PendingRead>
  /** Moves reads into the lane as far as it sends them soon. */
  fill(nowMs: number): void
}

interface Way {
  readonly shares: ReadShares
  readonly quick: Lane<PendingRead>
  readonly careful: Lane<PendingRead>
}

export interface ReadLanesOptions {
  readonly limits: LaneLimits
  readonly hedgeMs: number
  /** Told of a read that brought down two workers. */
  readonly onHarmful: (read: PendingRead) => void
}

export class ReadLanes {
  readonly #options: ReadLanesOptions
  #limits: LaneLimits
  readonly #reads: PendingReads
  readonly #paces = new Paces()
  readonly #harmful = new HarmfulReads()
  readonly #ways: Readonly<Record<ReadLane, Way>>
  #count = 0

  constructor(options: ReadLanesOptions) {
    this.#options = options
    this.#limits = options.limits
    this.#reads = new PendingReads(options.hedgeMs)
    this.#ways = { readQ: wayOf(options.limits), strongQ: wayOf(options.limits) }
  }

  get size(): number {
    return this.#reads.size
  }

  get roads(): ReadRoad[] {
    return QUEUES.flatMap(queue => {
      const way = this.#ways[queue]
      const { shares, quick, careful } = way
      const fillQuick = () => this.#fill(way, quick, () => shares.takeQuick())
      const fillCareful = (nowMs: number) =>
        this.#fill(way, careful, () => shares.takeCareful(nowMs))
      return [
        { queue, lane: quick, fill: fillQuick },
        { queue, lane: careful, fill: fillCareful }
      ]
    })
  }

  depthOf(queue: ReadLane): number {
    const { shares, quick, careful } = this.#ways[queue]
    return shares.depth + quick.depth + careful.depth
  }

  ask(
    queue: ReadLane,
    fields: ReadFields,
    at: { deadlineMs: number; nowMs: number; caller: Caller }
  ): void {
    const { deadlineMs, nowMs, caller } = at
    const { traceId = '', ...wire } = fields
    const { client = '', sql = '' } = wire
    if (this.#harmful.has(() => whatOf(fields), nowMs)) {
      caller.refuse(new RequestHarmfulError())
      return
    }
    const readId = (this.#count++).toString(36)
    const text = JSON.stringify({ readId, ...wire }).slice(0, -1)
    const pace = client === '' ? 'quick' : this.#paceOf({ client, sql, text }, nowMs)
    const asked = { askedOf: queue, traceId, pace, deadlineMs, caller }
    const read = pendingRead({ readId, client, sql, text, ...asked })
    this.#reads.add(read)
    const left = this.#ways[queue].shares.offer(read, this.#roomOf(queue))
    for (const one of left) {
      this.#settle(one)
      this.#reads.refused(one, new OverloadedError('too many reads wait'))
    }
  }

  sent(read: PendingRead, queue: ReadLane, nowMs: number): void {
    this.#reads.sent(read, queue, nowMs)
  }

  heard({ id, note, sending = 1, status, body, tookMs = 0 }: ReadReply, nowMs: number): void {
    if (note !== undefined) this.#noted(id, { note, sending }, nowMs)
    else this.#answered(id, { status, body, tookMs }, nowMs)
  }

  #answered(id: string, answer: Answer & { tookMs: number }, nowMs: number): void {
    const read = this.#reads.reply(id, answer, nowMs)
    if (read === undefined) return
    const { tookMs } = answer
    const { client, sql } = read
    if (client !== '') this.#paces.took({ client, sql }, tookMs, nowMs)
    if (tookMs >= LASTS_MS) this.#sharesOf(read).lasts(read)
    this.#sharesOf(read).answered(read)
    for (const lane of this.#lanes) lane.answered(read, nowMs)
  }

  /** @param connected whether RabbitMQ takes anything */
  sweep(nowMs: number, connected: boolean): void {
    for (const read of this.#reads.expire(nowMs)) this.#settle(read)
    if (connected) this.#ways.strongQ.careful.again(this.#reads.hedge(nowMs))
  }

  /** @param orderly the last master lives, and gave up its term by itself */
  newTerm(orderly: boolean): void {
    this.#ways.strongQ.careful.again(this.#reads.toMaster(orderly))
  }

  connected(): void {
    const sent = this.#reads.connected()
    for (const queue of QUEUES) {
      const { quick, careful } = this.#ways[queue]
      const mine = sent.filter(({ lane }) => lane === queue)
      quick.again(mine.filter(({ pace }) => pace === 'quick'))
      careful.again(mine.filter(({ pace }) => pace !== 'quick'))
    }
  }

  disconnected(): void {
    for (const lane of this.#lanes) lane.disconnect()
  }

  resize(limits: LaneLimits): void {
    this.#limits = limits
    for (const lane of this.#lanes) lane.resize(limits)
  }

  get #lanes(): Lane<PendingRead>[] {
    return QUEUES.flatMap(queue => [this.#ways[queue].quick, this.#ways[queue].careful])
  }

  /** The shares it waits in, or is counted by: those of the queue it was asked for. */
  #sharesOf(read: PendingRead): ReadShares {
    return this.#ways[read.askedOf].shares
  }

  #roomOf(queue: ReadLane) {
    const { waitingMax, waitingMaxBytes } = this.#limits
    const { quick, careful } = this.#ways[queue]
    return { items: waitingMax - quick.depth - careful.depth, cost: waitingMaxBytes }
  }

  #fill({ shares }: Way, lane: Lane<PendingRead>, take: () => PendingRead | undefined): void {
    while (lane.depth < this.#limits.batchMax) {
      const read = take()
      if (read === undefined) return
      if (lane.offer(read)) continue
      shares.again(read)
      return
    }
  }

  #noted(id: string, { note, sending }: { note: Note; sending: number }, nowMs: number): void {
    const noted = this.#reads.noted(id, note, sending, nowMs)
    if (noted === undefined) return
    const { read, action } = noted
    const shares = this.#sharesOf(read)
    for (const lane of this.#lanes) lane.noticed(read)
    if (note === 'running') shares.lasts(read)
    if (action === 'settled' || action === 'harmful') this.#settle(read)
    if (action === 'harmful') {
      this.#harmful.add(whatOf(JSON.parse(`${read.text}}`)), nowMs)
      this.#options.onHarmful(read)
    }
    if (action !== 'again') return
    if (note === 'busy') shares.busy(read, nowMs)
    this.#settle(read)
    // By now more may be known of its text.
    if (read.client !== '') read.pace = this.#paceOf(read, nowMs)
    if (read.pace === 'quick' && (note === 'busy' || read.suspect)) read.pace = 'unknown'
    shares.again(read)
  }

  /** One of many bytes is not quick on its way, whatever its execution takes. */
  #paceOf(read: { client: string; sql: string; text: string }, nowMs: number): Pace {
    const pace = this.#paces.of(read.client, read.sql, nowMs)
    return pace === 'quick' && read.text.length >= LARGE_BYTES ? 'unknown' : pace
  }

  #settle(read: PendingRead): void {
    this.#sharesOf(read).settle(read)
    for (const lane of this.#lanes) lane.settle(read)
  }
}

function wayOf(limits: LaneLimits): Way {
  const shares = new ReadShares()
  const pushedOut = (read: PendingRead) => shares.again(read)
  return { shares, quick: new Lane(limits, pushedOut), careful: new Lane(limits, pushedOut) }
}

const whatOf = ({ sql, params }: ReadFields): string => JSON.stringify([sql, params])
