/**
 * A message of reads in work, and which of them have no answer yet.
 */
import { setTimeout } from 'node:timers'
import type { ConsumeMessage } from 'amqplib'
import type { ReadMessage, ReadRequest } from '../wire/requests.ts'
import { nowMs } from './clock.ts'
import type { ReadResult } from './store.ts'

/** Answers of one message wait so long for the next ones, to go in fewer messages. */
const GATHER_MS = 5

export class ReadJob {
  readonly message: ConsumeMessage
  readonly replyTo: string
  readonly takenMs = nowMs()
  /** Neither answered nor given to anybody else. */
  readonly left: Set<ReadRequest>
  /** Those that wait for the database, or run there. */
  readonly running = new Set<ReadRequest>()
  /** Those whose answers wait to leave. */
  readonly leaving = new Set<ReadRequest>()

  constructor(message: ConsumeMessage, { replyTo, reads }: ReadMessage) {
    this.message = message
    this.replyTo = replyTo
    this.left = new Set(reads)
  }
}

export interface Done {
  readonly read: ReadRequest
  readonly result: ReadResult
}

/** Reads whose answers go together, as far as they are ready about together. */
export class ReadGroup {
  #pending: number
  #done: Done[] = []
  #timer: NodeJS.Timeout | undefined
  readonly #tell: (done: readonly Done[]) => void

  constructor(size: number, tell: (done: readonly Done[]) => void) {
    this.#pending = size
    this.#tell = tell
  }

  /** @param done undefined for a read that has no answer here */
  heard(done: Done | undefined): void {
    this.#pending -= 1
    if (done !== undefined) this.#done.push(done)
    if (this.#pending === 0) this.#flush()
    else if (this.#done.length > 0) this.#timer ??= setTimeout(() => this.#flush(), GATHER_MS)
  }

  #flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const done = this.#done
    this.#done = []
    if (done.length > 0) this.#tell(done)
  }
}
