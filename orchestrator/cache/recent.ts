/**
 * Whether a key was met lately: what comes once is not worth keeping. A fixed table of
 * hashes, in which one key may push out another or pass for it; nothing rests on it
 * but what is kept.
 */

const SLOTS = 1 << 15
/** A key is remembered for one to two of these. */
const SPAN_MS = 4_000

export class Recent {
  readonly #slots = new Uint32Array(SLOTS)

  /** Notes the key. @returns whether it was noted within the last seconds */
  met(key: string, nowMs: number): boolean {
    const hash = hashOf(key)
    const slot = hash % SLOTS
    const span = Math.floor(nowMs / SPAN_MS)
    const mark = markOf(hash, span)
    const before = this.#slots[slot]
    this.#slots[slot] = mark
    return before === mark || before === markOf(hash, span - 1)
  }
}

/** Not 0, which is what a table begins with. */
const markOf = (hash: number, span: number): number =>
  (hash ^ Math.imul(span, 0x9e3779b1) ^ 1) >>> 0 || 1

/** FNV-1a. */
function hashOf(key: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193)
  return hash >>> 0
}
