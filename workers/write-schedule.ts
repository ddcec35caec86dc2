/**
 * Which waiting writes a master executes next. Pure: times come in.
 * Invariants:
 * - Fair: the client whose writes took the least time of late comes first, so a client with
 *   slow writes waits behind all others. Writes of one client stay in their order.
 * - Apart: writes of a client that is slow, or may be, are in no transaction with others'.
 * - Alone: a suspect is picked by itself.
 * - In time: nothing is picked behind its deadline.
 */

/** Commands in one transaction, and bytes of them, unless one alone has more. */
const BATCH_COMMANDS = 128
const BATCH_BYTES = 4 * 1024 * 1024
/** A client whose writes take longer each, on average, is slow. */
const SLOW_MS = 20
/** A batch of several clients that took longer than this has a slow one among them. */
const SLOW_BATCH_MS = 100
/** Of a slow client, so many writes at once as take about so long. */
const OWN_BATCH_MS = 100
/** Time that was taken counts half after so long. */
const HALF_LIFE_MS = 5_000
/** A client gets quicker in steps, so that one with a slow write now and then stays apart. */
const KEPT_OF_COST = 0.7
/** Clients that have nothing waiting are forgotten beyond this many, the longest idle first. */
const CLIENTS_MAX = 10_000

export interface Schedulable {
  readonly client: string
  readonly expiresAtMs: number
  readonly suspect: boolean
  /** Of the command, about. */
  readonly bytes?: number
}

export type Picked<T> =
  | { readonly kind: 'together'; readonly items: readonly T[] }
  | { readonly kind: 'alone'; readonly item: T }

interface Client<T> {
  waiting: T[]
  /** Time that its writes took, as of `asOfMs`. */
  tookMs: number
  asOfMs: number
  /** What one of its writes may take. */
  costMs: number
}

export class WriteSchedule<T extends Schedulable> {
  /** In the order in which they last took time. */
  readonly #clients = new Map<string, Client<T>>()
  #size = 0

  /** Writes that wait. */
  get size(): number {
    return this.#size
  }

  add(item: T): void {
    this.#client(item.client).waiting.push(item)
    this.#size += 1
  }

  /** To be picked again, ahead of what its client has waiting. */
  putBack(items: readonly T[]): void {
    for (const item of items.toReversed()) {
      this.#client(item.client).waiting.unshift(item)
      this.#size += 1
    }
  }

  clear(): void {
    this.#clients.clear()
    this.#size = 0
  }

  /** Whether writes of another client wait. */
  othersWait(client: string): boolean {
    return this.#size > (this.#clients.get(client)?.waiting.length ?? 0)
  }

  /** Takes out what nobody waits for any more. */
  expire(nowMs: number): T[] {
    const gone: T[] = []
    for (const client of this.#clients.values()) {
      if (client.waiting.every(({ expiresAtMs }) => expiresAtMs > nowMs)) continue
      gone.push(...client.waiting.filter(({ expiresAtMs }) => expiresAtMs <= nowMs))
      client.waiting = client.waiting.filter(({ expiresAtMs }) => expiresAtMs > nowMs)
    }
    this.#size -= gone.length
    return gone
  }

  /** To be called after `expire`. @returns undefined when nothing waits */
  next(nowMs: number): Picked<T> | undefined {
    const waiting = [...this.#clients.values()].filter(one => one.waiting.length > 0)
    for (const one of waiting) age(one, nowMs)
    waiting.sort((a, b) => a.tookMs - b.tookMs)
    const first = waiting[0]
    if (first === undefined) return undefined
    if (first.waiting[0]?.suspect === true) return { kind: 'alone', item: this.#shift(first) }
    const quick = waiting.filter(({ costMs }) => costMs <= SLOW_MS)
    const max = Math.max(1, Math.min(BATCH_COMMANDS, Math.floor(OWN_BATCH_MS / first.costMs)))
    return first.costMs > SLOW_MS
      ? { kind: 'together', items: this.#take([first], max) }
      : { kind: 'together', items: this.#take(quick, BATCH_COMMANDS) }
  }

  /** Writes were executed in one batch, within `ms`; the commit is not reckoned to it. */
  took(items: readonly T[], ms: number, nowMs: number): void {
    const counts = new Map<string, number>()
    for (const { client } of items) counts.set(client, (counts.get(client) ?? 0) + 1)
    for (const [name, count] of counts) {
      const client = this.#client(name)
      const own = (ms * count) / items.length
      age(client, nowMs)
      client.tookMs += own
      client.costMs = costOf(client, { ms, count, mixed: counts.size > 1 })
      this.#clients.delete(name)
      this.#clients.set(name, client)
    }
    this.#forget()
  }

  /** In turn from each, up to `max`, and of none beyond a suspect. */
  #take(clients: readonly Client<T>[], max: number): T[] {
    const items: T[] = []
    const turns = new Set(clients)
    let bytes = 0
    while (items.length < max && turns.size > 0) {
      for (const client of turns) {
        const head = client.waiting[0]
        const isTooLarge = items.length > 0 && bytes + (head?.bytes ?? 0) > BATCH_BYTES
        if (head === undefined || head.suspect || isTooLarge) turns.delete(client)
        else if (items.length < max) {
          items.push(this.#shift(client))
          bytes += head.bytes ?? 0
        }
      }
    }
    return items
  }

  #shift(client: Client<T>): T {
    this.#size -= 1
    return client.waiting.shift() as T
  }

  #client(name: string): Client<T> {
    const known = this.#clients.get(name)
    if (known !== undefined) return known
    const client = { waiting: [], tookMs: 0, asOfMs: 0, costMs: 0 }
    this.#clients.set(name, client)
    return client
  }

  #forget(): void {
    for (const [name, { waiting }] of this.#clients) {
      if (this.#clients.size <= CLIENTS_MAX) return
      if (waiting.length === 0) this.#clients.delete(name)
    }
  }
}

function age(client: Client<unknown>, nowMs: number): void {
  client.tookMs *= 2 ** ((client.asOfMs - nowMs) / HALF_LIFE_MS)
  client.asOfMs = nowMs
}

/**
 * Which of several clients was the slow one is not known: each may be, until a batch of its own
 * shows otherwise.
 */
function costOf(
  { costMs }: Client<unknown>,
  batch: { readonly ms: number; readonly count: number; readonly mixed: boolean }
): number {
  if (batch.mixed) return batch.ms > SLOW_BATCH_MS ? Math.max(costMs, 2 * SLOW_MS) : costMs
  const measuredMs = batch.ms / batch.count
  if (measuredMs >= costMs) return measuredMs
  return KEPT_OF_COST * costMs + (1 - KEPT_OF_COST) * measuredMs
}
