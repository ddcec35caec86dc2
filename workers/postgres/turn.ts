/**
 * How long the commands of one batch may take (docs/write-execution.md). A command has a budget
 * of its own, less while writes of other clients wait. Where others hold the batch up already, a
 * slow one is postponed and not failed: it has its own turn later. Reads no clock.
 *
 * Invariant: the first command of a batch that is begun is never postponed for others' sake, so
 * every batch gets something done.
 */
import type { WriteCommand } from '../../wire/requests.ts'
import type { Bystanders } from '../store.ts'
import { locksTables } from './command.ts'
import type { Limits } from './limits.ts'

/** Of commands that are sent together, where nobody can tell which of them it is that takes long. */
export const TOGETHER_MS = 250
/** Of the results and changes of one batch: a worker holds them all until it answers. */
const BATCH_BYTES_MAX = 16 * 1024 * 1024
/** A client whose commands took longer lets others go first. */
const SLOW_MS = 250
/** Of the patience, after which a batch in which others wait ends. */
const BATCH_SHARE = 1.5

export type Standing =
  | { readonly kind: 'goes on' }
  | { readonly kind: 'failed'; readonly why: string }
  | { readonly kind: 'postponed' }

const GOES_ON: Standing = { kind: 'goes on' }
const POSTPONED: Standing = { kind: 'postponed' }

export class Turn {
  readonly #limits: Pick<Limits, 'writeTimeoutMs' | 'writePatienceMs'>
  readonly #bystanders: Bystanders | undefined
  readonly #clients: ReadonlySet<string>
  readonly #spentMs = new Map<string, number>()
  #allSpentMs = 0
  #bytes = 0
  #begun = 0

  constructor(options: {
    batch: readonly WriteCommand[]
    limits: Pick<Limits, 'writeTimeoutMs' | 'writePatienceMs'>
    bystanders: Bystanders | undefined
  }) {
    this.#limits = options.limits
    this.#bystanders = options.bystanders
    this.#clients = new Set(options.batch.map(clientOf))
  }

  /** Whether a command may begin now; else it is postponed. */
  mayBegin(command: WriteCommand): boolean {
    if (this.#bystanders?.isExpired(command)) return false
    if (this.#bystanders !== undefined && this.#bytes >= BATCH_BYTES_MAX) return false
    if (this.#begun === 0 || !this.#othersWait(command)) return true
    if (this.#allSpentMs >= this.#limits.writePatienceMs * BATCH_SHARE) return false
    return (this.#spentMs.get(clientOf(command)) ?? 0) < SLOW_MS
  }

  /** What is to become of a command that has run for `ranMs` by itself. */
  standing(command: WriteCommand, ranMs: number): Standing {
    const { writeTimeoutMs, writePatienceMs } = this.#limits
    if (isVerify(command)) return GOES_ON
    if (this.#bystanders?.isExpired(command)) return POSTPONED
    if (ranMs >= writeTimeoutMs) {
      return { kind: 'failed', why: `the write took longer than ${writeTimeoutMs} ms` }
    }
    // These are rare, and wait for reads to let go of their tables: they might never get done.
    if (locksTables(command) || !this.#othersWait(command)) return GOES_ON
    if (this.#allSpentMs < SLOW_MS) {
      if (ranMs < writePatienceMs) return GOES_ON
      const why = `the write took longer than ${writePatienceMs} ms while other clients waited`
      return { kind: 'failed', why }
    }
    return ranMs < Math.max(SLOW_MS, writePatienceMs - this.#allSpentMs) ? GOES_ON : POSTPONED
  }

  /** To be told of each command that was begun, when it has ended; commands sent together take none. */
  spent(command: WriteCommand, ms: number): void {
    this.#begun += 1
    this.#allSpentMs += ms
    const client = clientOf(command)
    this.#spentMs.set(client, (this.#spentMs.get(client) ?? 0) + ms)
  }

  /** To be told of what a command has changed and returned. */
  took(bytes: number): void {
    this.#bytes += bytes
  }

  #othersWait(command: WriteCommand): boolean {
    if (this.#bystanders === undefined) return false
    return this.#clients.size > 1 || this.#bystanders.othersWait(clientOf(command))
  }
}

const clientOf = ({ client }: WriteCommand): string => client ?? ''

const isVerify = ({ statements }: WriteCommand): boolean =>
  statements.some(({ kind }) => kind === 'verify')

/** Whether commands that were sent together have returned more than a worker should hold. */
export const isTooMuch = (results: readonly { readonly bytes: number }[]): boolean =>
  results.reduce((sum, { bytes }) => sum + bytes, 0) > BATCH_BYTES_MAX
