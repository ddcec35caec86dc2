/**
 * What was told of each idempotency key. Pure. Laws, for a key that is sent again within
 * the time that is promised:
 * - it is answered as before, to the index and the rows;
 * - its row is there exactly once when it was acknowledged, at most once otherwise.
 */

export interface Told {
  readonly status: number
  /** Parsed. */
  readonly body: unknown
}

interface Entry {
  /** The first outcome that is final. */
  final: string | undefined
  firstAtMs: number
  sent: number
}

/** Whether the outcome is one that stays. */
const isFinal = ({ status }: Told): boolean => [200, 400, 409, 422].includes(status)

export class Ledger {
  readonly #entries = new Map<string, Entry>()
  readonly #problems: string[] = []
  #again = 0

  get problems(): readonly string[] {
    return this.#problems
  }

  get keys(): readonly string[] {
    return [...this.#entries.keys()]
  }

  /** How many answers were compared with an earlier one. */
  get compared(): number {
    return this.#again
  }

  acknowledged(): number {
    return [...this.#entries.values()].filter(({ final }) => final?.startsWith('200')).length
  }

  /** Before a key is sent, each time. */
  sends(key: string, nowMs: number): void {
    const entry = this.#entries.get(key)
    if (entry === undefined) this.#entries.set(key, { final: undefined, firstAtMs: nowMs, sent: 1 })
    else entry.sent += 1
  }

  /** The time since it was sent first. */
  ageMs(key: string, nowMs: number): number {
    return nowMs - (this.#entries.get(key)?.firstAtMs ?? nowMs)
  }

  /** What came of it; nothing is told of what was not answered. */
  told(key: string, told: Told): void {
    const entry = this.#entries.get(key)
    if (entry === undefined) throw new Error(`${key} was never sent`)
    if (!isFinal(told)) return
    const text = `${told.status} ${JSON.stringify(told.body)}`
    if (entry.final === undefined) entry.final = text
    else {
      this.#again += 1
      if (entry.final !== text) {
        this.#problems.push(`key ${key} was answered ${entry.final}, then ${text}`)
      }
    }
  }

  /** @param counts rows of each key in the database, at the end. @returns a line for each law broken */
  judge(counts: ReadonlyMap<string, number>): string[] {
    const found = [...this.#problems]
    for (const [key, { final }] of this.#entries) {
      const rows = counts.get(key) ?? 0
      const isDone = final?.startsWith('200') ?? false
      if (rows > 1) found.push(`key ${key} was executed ${rows} times`)
      if (isDone && rows === 0) found.push(`key ${key} was acknowledged, and its row is missing`)
      if (final !== undefined && !isDone && rows > 0) {
        found.push(`key ${key} was answered ${final}, and its row is there`)
      }
    }
    for (const key of counts.keys()) {
      if (!this.#entries.has(key)) found.push(`a row of key ${key}, which nobody sent`)
    }
    return found
  }
}
