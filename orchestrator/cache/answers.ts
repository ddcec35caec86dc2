/**
 * Kept answers by key, bounded in bytes. When there is no room, those go that were not
 * told since it was last their turn, the eldest first.
 */
import type { Ground } from './heard.ts'

export interface Kept {
  readonly key: string
  readonly index: number
  readonly ground: Ground
  /** The body behind its index. */
  readonly rest: string
  readonly bytes: number
  told: boolean
}

/** What an answer takes beside its texts: its object, its place in the map, its key's header. */
const OVERHEAD_BYTES = 250

export class Answers {
  readonly #maxBytes: number
  readonly #kept = new Map<string, Kept>()
  #bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  get size(): number {
    return this.#kept.size
  }

  get bytes(): number {
    return this.#bytes
  }

  get(key: string): Kept | undefined {
    return this.#kept.get(key)
  }

  keep(kept: Omit<Kept, 'bytes' | 'told'>): void {
    const bytes = bytesOf(kept.key) + bytesOf(kept.rest) + OVERHEAD_BYTES
    this.#drop(this.#kept.get(kept.key))
    // One must not push out all others.
    if (bytes > this.#maxBytes / 8) return
    this.#kept.set(kept.key, { ...kept, bytes, told: false })
    this.#bytes += bytes
    this.#makeRoom()
  }

  clear(): void {
    this.#kept.clear()
    this.#bytes = 0
  }

  #drop(kept: Kept | undefined): void {
    if (kept !== undefined && this.#kept.delete(kept.key)) this.#bytes -= kept.bytes
  }

  #makeRoom(): void {
    for (const kept of this.#kept.values()) {
      if (this.#bytes <= this.#maxBytes) return
      this.#kept.delete(kept.key)
      if (kept.told) {
        kept.told = false
        this.#kept.set(kept.key, kept)
      } else this.#bytes -= kept.bytes
    }
  }
}

/** V8 has one byte a character, or two for all of a text where one is beyond Latin-1. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: the range of Latin-1
const WIDE = /[^\u0000-\u00ff]/
const bytesOf = (text: string): number => (WIDE.test(text) ? 2 * text.length : text.length)
