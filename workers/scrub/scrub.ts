/**
 * Looks for damage that nobody has met yet: reads all pages of the database and all entries of
 * the log, one pass after the other, slowly. What it finds is told in the worker's znode; the
 * supervisor decides what becomes of the worker (orchestrator/damage.ts).
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '../../platform/log.ts'
import type { ScrubNode } from '../../wire/znodes.ts'
import type { Store } from '../store.ts'
import { pagesIn, readPages } from './pages.ts'

/** Of one core, for the log. */
const LOG_SHARE = 1 / 20
/** Between two passes at least; else as long as the pass took. */
const REST_MS = 1_000
const DAMAGE_TOLD = 5

export interface ScrubOptions {
  readonly store: Pick<Store, 'checkLog'>
  /** PostgreSQL's. */
  readonly dataDir: string
  /** Of pages; 0: nothing is looked at. */
  readonly bytesPerS: number
  readonly log: Logger
}

export class Scrub implements Disposable {
  readonly #options: ScrubOptions
  readonly #damage = new Set<string>()
  readonly #stopping = new AbortController()
  #pages = 0
  #pagesOf = 0
  #pagesPassAt: string | null = null
  #entries = 0
  #logPassAt: string | null = null
  /** Since the start. */
  readonly totals = { pages: 0, entries: 0 }

  constructor(options: ScrubOptions) {
    this.#options = options
    if (options.bytesPerS === 0) return
    void this.#repeat('pages', () => this.#readPages())
    void this.#repeat('the log', () => this.#readLog())
  }

  /** Null when nothing is looked at. */
  get now(): ScrubNode | null {
    if (this.#options.bytesPerS === 0) return null
    return {
      pages: { read: this.#pages, of: this.#pagesOf, passAt: this.#pagesPassAt },
      entries: { read: this.#entries, passAt: this.#logPassAt },
      damage: [...this.#damage].slice(0, DAMAGE_TOLD)
    }
  }

  [Symbol.dispose](): void {
    this.#stopping.abort()
  }

  async #repeat(what: string, pass: () => Promise<void>): Promise<void> {
    const { log } = this.#options
    const { signal } = this.#stopping
    while (!signal.aborted) {
      const beganMs = performance.now()
      await pass().catch((err: unknown) => {
        if (!signal.aborted) log.warn({ err, what }, 'a pass of the scrub was broken off')
      })
      const restMs = Math.max(REST_MS, performance.now() - beganMs)
      await sleep(restMs, undefined, { signal, ref: false }).catch(() => undefined)
    }
  }

  async #readPages(): Promise<void> {
    const { dataDir, bytesPerS } = this.#options
    this.#pages = 0
    this.#pagesOf = await pagesIn(dataDir)
    for await (const { pages, damaged } of readPages(dataDir, bytesPerS)) {
      if (this.#stopping.signal.aborted) return
      this.#pages += pages
      this.totals.pages += pages
      for (const one of damaged) this.#found(`${one} is damaged`)
    }
    this.#pagesPassAt = new Date().toISOString()
  }

  async #readLog(): Promise<void> {
    this.#entries = 0
    for await (const { entries, faults } of this.#options.store.checkLog(LOG_SHARE)) {
      if (this.#stopping.signal.aborted) return
      this.#entries += entries
      this.totals.entries += entries
      for (const { name, found } of faults) this.#found(`${name} ${found}`)
    }
    this.#logPassAt = new Date().toISOString()
  }

  #found(what: string): void {
    if (this.#damage.has(what)) return
    this.#damage.add(what)
    this.#options.log.error({ what }, 'the scrub has found damage')
  }
}
