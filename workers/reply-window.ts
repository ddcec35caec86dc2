/**
 * Which large replies of a worker may leave, so that few bytes of them are on their way at once.
 * Pure: times come in.
 * Invariants:
 * - What was sent holds its bytes until its orchestrator has taken it, or for `TAKEN_WITHIN_MS`:
 *   the orchestrator may be gone.
 * - Replies to writes go first, for the master's work waits for them; of reads, clients have
 *   their turns.
 * - What nobody waits for any more does not leave.
 */
import { FairQueue } from '../platform/shares/fair-queue.ts'

const TAKEN_WITHIN_MS = 1_000

export interface LargeReply {
  readonly client: string
  /** Bytes. */
  readonly cost: number
  readonly isWrite: boolean
  readonly expiresAtMs: number
}

export class ReplyWindow<T extends LargeReply> {
  readonly #writes = new Set<T>()
  readonly #reads = new FairQueue<T>()
  readonly #readBytes = new Map<string, number>()
  readonly #sent = new Map<number, { readonly bytes: number; readonly sentAtMs: number }>()
  #sentBytes = 0
  #writeBytes = 0
  #count = 0

  /** Bytes that wait, of replies to writes. */
  get writeBytes(): number {
    return this.#writeBytes
  }

  /** Bytes that wait, of replies to reads. */
  get readBytes(): number {
    return this.#reads.cost
  }

  /** Bytes that are on their way. */
  get sentBytes(): number {
    return this.#sentBytes
  }

  /** Bytes that wait, of replies to reads of one client. */
  readBytesOf(client: string): number {
    return this.#readBytes.get(client) ?? 0
  }

  add(reply: T): void {
    if (reply.isWrite) {
      this.#writes.add(reply)
      this.#writeBytes += reply.cost
    } else {
      this.#reads.add(reply)
      this.#countRead(reply, 1)
    }
  }

  /**
   * @param maxBytes that may be on their way; what is larger goes alone
   * @returns what leaves now, with the number by which `taken` knows it; without one where nobody
   * waits for it any more
   */
  next(maxBytes: number, nowMs: number): { readonly n?: number; readonly reply: T } | undefined {
    this.#release(nowMs)
    const reply = this.#take()
    if (reply === undefined) return undefined
    if (reply.expiresAtMs <= nowMs) return { reply }
    if (this.#sentBytes > 0 && this.#sentBytes + reply.cost > maxBytes) {
      this.#putBack(reply)
      return undefined
    }
    this.#count += 1
    this.#sent.set(this.#count, { bytes: reply.cost, sentAtMs: nowMs })
    this.#sentBytes += reply.cost
    return { n: this.#count, reply }
  }

  /** The orchestrator has it. */
  taken(n: number): void {
    const sent = this.#sent.get(n)
    if (sent === undefined) return
    this.#sent.delete(n)
    this.#sentBytes -= sent.bytes
  }

  clear(): void {
    this.#writes.clear()
    for (const reply of [...this.#reads]) this.#reads.delete(reply)
    this.#readBytes.clear()
    this.#sent.clear()
    this.#sentBytes = 0
    this.#writeBytes = 0
  }

  /** In the order in which they were sent. */
  #release(nowMs: number): void {
    for (const [n, { sentAtMs }] of this.#sent) {
      if (nowMs - sentAtMs < TAKEN_WITHIN_MS) return
      this.taken(n)
    }
  }

  #take(): T | undefined {
    const [write] = this.#writes
    if (write !== undefined) {
      this.#writes.delete(write)
      this.#writeBytes -= write.cost
      return write
    }
    const read = this.#reads.take()
    if (read !== undefined) this.#countRead(read, -1)
    return read
  }

  #putBack(reply: T): void {
    if (reply.isWrite) {
      const behind = [...this.#writes]
      this.#writes.clear()
      for (const one of [reply, ...behind]) this.#writes.add(one)
      this.#writeBytes += reply.cost
    } else {
      this.#reads.addFirst(reply)
      this.#countRead(reply, 1)
    }
  }

  #countRead({ client, cost }: T, by: 1 | -1): void {
    const bytes = this.readBytesOf(client) + by * cost
    if (bytes > 0) this.#readBytes.set(client, bytes)
    else this.#readBytes.delete(client)
  }
}
