/**
 * The read cache at work, in front of the lanes: while reads repeat it listens to
 * `sync`, asks the master for proofs, and replicas about statements. These questions
 * are nobody's reads: they are not counted as such.
 */
import { setInterval } from 'node:timers'
import type { Logger } from '../../platform/log.ts'
import type { Dependence, LogEnd, Param } from '../../wire/requests.ts'
import type { Dispatch } from '../lanes/dispatch.ts'
import type { ReadLane } from '../lanes/pending-reads.ts'
import type { Answer } from '../lanes/pending-writes.ts'
import { SyncListener } from './amqp.ts'
import { type Place, ReadCache } from './read-cache.ts'
import type { Statement } from './statements.ts'

/** Without a read that had come before for so long, it listens no more. */
const IDLE_MS = 10_000
/** A proof lets answers be told for `maxAgeMs`: the next one comes well before. */
const PROOFS_PER_AGE = 5

export interface CacheOptions {
  readonly orchestratorId: string
  readonly dispatch: Pick<Dispatch, 'read' | 'link'>
  /** 0: nothing is kept. */
  readonly maxBytes: number
  /** What a `replica` read is promised. */
  readonly maxAgeMs: number
  readonly log: Logger
}

/** Of the wire's read, without its id and time. */
export interface ReadFields {
  readonly sql: string
  readonly params: readonly Param[]
  readonly minIndex?: number
  readonly client?: string
  readonly traceId?: string
}

export class Cache implements Disposable {
  readonly reads: ReadCache
  readonly #options: CacheOptions
  readonly #listener: SyncListener
  readonly #timer: NodeJS.Timeout

  constructor(options: CacheOptions) {
    this.#options = options
    this.reads = new ReadCache(options)
    const { orchestratorId, log, maxAgeMs } = options
    const { heard } = this.reads
    this.#listener = new SyncListener({ orchestratorId, log, heard: news => heard.take(news) })
    this.#timer = setInterval(() => this.#turn(), maxAgeMs / PROOFS_PER_AGE)
  }

  /** As the dispatch would, or with what is kept. */
  read(lane: ReadLane, fields: ReadFields, ttlMs: number): Promise<Answer> {
    const { dispatch, maxBytes } = this.#options
    if (lane !== 'readQ' || maxBytes === 0) return dispatch.read(lane, fields, ttlMs)
    const { sql, params, minIndex = 0 } = fields
    const { body, place } = this.reads.look({ sql, params, minIndex }, performance.now())
    if (body !== null) return Promise.resolve({ status: 200, body: Buffer.from(body) })
    const answer = dispatch.read(lane, fields, ttlMs)
    return place === null ? answer : this.#kept(place, answer)
  }

  /** Something that the log does not tell has changed: a worker's rows are in doubt, say. */
  forget(): void {
    this.reads.heard.forget()
    this.reads.clear()
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
    this.#listener.listen(undefined)
  }

  async #kept(place: Place, asked: Promise<Answer>): Promise<Answer> {
    const answer = await asked
    if (answer.status === 200) this.reads.keep(place, answer.body)
    return answer
  }

  #turn(): void {
    const isWanted = performance.now() - this.reads.repeatedMs < IDLE_MS
    this.#listener.listen(isWanted ? this.#options.dispatch.link : undefined)
    if (!isWanted) {
      this.reads.clear()
      return
    }
    void this.#prove()
    this.#learnWanted()
  }

  #learnWanted(): void {
    for (const statement of this.reads.statements.takeWanted()) void this.#learn(statement)
  }

  async #prove(): Promise<void> {
    const askedMs = performance.now()
    const told = await this.#ask<LogEnd>('strongQ', { endOfLog: true })
    if (told === undefined) return
    const { term, index, workerId: master } = told
    this.reads.heard.prove({ askedMs, term, master, index })
  }

  async #learn(statement: Statement): Promise<void> {
    const { sql: dependenceOf } = statement
    const told = await this.#ask<Dependence & { index: number }>('readQ', { dependenceOf })
    this.reads.statements.learn(statement, told)
    this.#learnWanted()
  }

  /** Undefined when nobody answers in time; it is asked again. */
  async #ask<T>(lane: ReadLane, question: object): Promise<T | undefined> {
    const { dispatch, maxAgeMs, log } = this.#options
    const answer = await dispatch.read(lane, question, maxAgeMs).catch((err: unknown) => {
      log.debug({ err }, 'the read cache got no answer')
      return undefined
    })
    return answer?.status === 200 ? (JSON.parse(answer.body.toString()) as T) : undefined
  }
}
