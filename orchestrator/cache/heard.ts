/**
 * What an orchestrator has heard of the log on `sync`, and how much of it is known to
 * be the whole truth. Pure. The rules by which a kept answer may be told are named as
 * in docs/decisions/read-cache.md: HEARD, UNCHANGED, FRESH, SEEN.
 */

/** What one entry changed; `all` for a schema change, and for what is not understood. */
export interface Changed {
  readonly index: number
  readonly tables: readonly string[] | 'all'
}

/** A message of the master's: the entries behind `prev`, or none. */
export interface News {
  readonly term: number
  readonly master: string
  readonly prev: number
  readonly commitIndex: number
  readonly entries: readonly Changed[]
}

/** The master of `term` said after `askedMs` that all acknowledged before is at or below `index`. */
export interface Proof {
  readonly askedMs: number
  readonly term: number
  readonly master: string
  readonly index: number
}

/** A table of the application's, by the last entry that is known to have changed it. */
export interface Table {
  changedAt: number
}

/** Proofs that came before what they speak of. */
const EARLY_MAX = 8
/** More tables than any application has; beyond, all is heard anew. */
const TABLES_MAX = 20_000

export class Heard {
  #epoch = 0
  #term = 0
  #master = ''
  #floor = 0
  #end = 0
  #committed = 0
  #fresh: Proof | null = null
  #early: Proof[] = []
  #tables = new Map<string, Table>()

  get epoch(): number {
    return this.#epoch
  }

  /** The entries behind it, up to `end`, were heard without a gap; none of them changed everything. */
  get floor(): number {
    return this.#floor
  }

  get end(): number {
    return this.#end
  }

  /** The highest index that is known to be committed, as far as was heard. */
  get committed(): number {
    return Math.min(this.#committed, this.#end)
  }

  /** The newest proof of what was heard; null when there is none. */
  get fresh(): Proof | null {
    return this.#fresh
  }

  table(name: string): Table {
    let table = this.#tables.get(name)
    if (table === undefined) {
      table = { changedAt: 0 }
      this.#tables.set(name, table)
    }
    return table
  }

  take(news: News): void {
    if (news.term < this.#term) return
    if (news.term === this.#term && news.master !== this.#master) return // of another cluster
    if (news.term > this.#term) this.#fresh = null
    if (news.term > this.#term || news.prev > this.#end) this.#begin(news)
    for (const entry of news.entries) this.#add(entry)
    this.#committed = Math.max(this.#committed, news.commitIndex)
    if (this.#early.length > 0) this.#settle()
  }

  prove(proof: Proof): void {
    this.#early = [...this.#early, proof].slice(-EARLY_MAX)
    this.#settle()
  }

  /** What was kept so far is not to be told any more, whatever it rests on. */
  forget(): void {
    this.#epoch += 1
    this.#floor = this.#end
    this.#tables = new Map()
  }

  /** HEARD: a gap, or the log of another master, of which the past was not heard. */
  #begin({ term, master, prev }: News): void {
    this.#term = term
    this.#master = master
    this.#floor = prev
    this.#end = prev
  }

  #add({ index, tables }: Changed): void {
    if (index <= this.#end) return // heard before
    this.#end = index
    if (tables === 'all') this.#floor = index
    else for (const name of tables) this.table(name).changedAt = index
    if (this.#tables.size > TABLES_MAX) this.forget()
  }

  /** FRESH: of this term and master, and about nothing that was not heard. */
  #settle(): void {
    const fits = ({ term, master, index }: Proof) =>
      term === this.#term && master === this.#master && index <= this.#end
    const proof = this.#early.findLast(fits)
    if (proof === undefined) return
    this.#early = this.#early.filter(early => early.askedMs > proof.askedMs)
    if (this.#fresh === null || proof.askedMs > this.#fresh.askedMs) this.#fresh = proof
    this.#committed = Math.max(this.#committed, proof.index)
  }
}

/** What the answers to a statement depend on, as a worker saw it at an index. */
export interface Ground {
  readonly epoch: number
  readonly index: number
  readonly tables: readonly Table[]
}

export interface Ask {
  readonly nowMs: number
  readonly minIndex: number
  readonly maxAgeMs: number
}

/** Why a kept answer is not told. */
export type Refusal = 'unheard' | 'changed' | 'unproved' | 'behind'

/** Whether the answer of a replica at `index` is still the answer, as far as was heard. */
export function isVoid(index: number, ground: Ground, heard: Heard): Refusal | null {
  const isHeard = index >= heard.floor && ground.index >= heard.floor
  if (!isHeard || ground.epoch !== heard.epoch) return 'unheard' // HEARD
  return ground.tables.some(table => table.changedAt > index) ? 'changed' : null // UNCHANGED
}

/** The index at which a replica's answer at `index` may be told to who asks now. */
export function tellableAt(
  kept: { readonly index: number; readonly ground: Ground },
  heard: Heard,
  ask: Ask
): number | Refusal {
  const refusal = isVoid(kept.index, kept.ground, heard)
  if (refusal !== null) return refusal
  const { fresh } = heard
  if (fresh === null || ask.nowMs - fresh.askedMs > ask.maxAgeMs) return 'unproved' // FRESH
  const at = Math.max(kept.index, heard.committed)
  return at >= ask.minIndex ? at : 'behind' // SEEN
}
