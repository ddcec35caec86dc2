/**
 * How many requests one client may send: each address has a bucket that fills at a fixed
 * rate and holds two seconds of it, so that what comes at once is let through. Pure.
 * Invariant: at most `ADDRESSES_MAX` are remembered; who has not been seen for longest is
 * forgotten first, and begins anew with a full bucket.
 */
import { networkOf } from '../platform/http/network.ts'

const BURST_S = 2
const ADDRESSES_MAX = 20_000

interface Bucket {
  tokens: number
  atMs: number
}

export class RateLimit {
  readonly #perMs: number
  readonly #size: number
  readonly #buckets = new Map<string, Bucket>()

  constructor({ perS }: { readonly perS: number }) {
    this.#perMs = perS / 1_000
    this.#size = Math.max(1, perS * BURST_S)
  }

  /** @returns 0 when the request may pass; else the milliseconds after which one may */
  take(address: string, nowMs: number): number {
    const key = networkOf(address)
    const bucket = this.#buckets.get(key) ?? { tokens: this.#size, atMs: nowMs }
    bucket.tokens = Math.min(this.#size, bucket.tokens + (nowMs - bucket.atMs) * this.#perMs)
    bucket.atMs = nowMs
    this.#remember(key, bucket)
    if (bucket.tokens < 1) return (1 - bucket.tokens) / this.#perMs
    bucket.tokens -= 1
    return 0
  }

  /** Last in the map's order is who was seen last. */
  #remember(key: string, bucket: Bucket): void {
    this.#buckets.delete(key)
    this.#buckets.set(key, bucket)
    if (this.#buckets.size <= ADDRESSES_MAX) return
    for (const oldest of this.#buckets.keys()) {
      this.#buckets.delete(oldest)
      return
    }
  }
}
