/**
 * What PostgreSQL sends, without the messages that are too long. pg's parser keeps a message in
 * memory until all of it has arrived, and a single value may have hundreds of megabytes. The
 * length stands in a message's header: a message beyond the bound is read and thrown away as it
 * arrives, and a short one stands in for it.
 *
 * Invariant: every other message passes unchanged and in order, however the bytes are split.
 */
import { Socket } from 'node:net'

/** A code, and the length of the rest with itself. */
const HEADER_BYTES = 5
/** An error may quote a value in full. */
const ERROR_BYTES_MAX = 16 * 1024
const CODE = { row: 0x44, error: 0x45, notice: 0x4e, copyData: 0x64 } as const
const CUTTABLE: readonly number[] = Object.values(CODE)

/** The only value of a row that stands in for a longer one: no text of PostgreSQL holds it. */
const CUT = '\0'
const CUT_ROW = Buffer.from([0x44, 0, 0, 0, 11, 0, 1, 0, 0, 0, 1, 0])
/** Without a text. */
const CUT_NOTICE = Buffer.from([0x4e, 0, 0, 0, 5, 0])
const NOTHING = Buffer.alloc(0)

/** Whether a row stands in for one that was too long. */
export const isCutRow = (values: readonly (string | null)[]): boolean =>
  values.length === 1 && values[0] === CUT

/** A message that is too long, and for which nothing can stand in. */
export class MessageTooLongError extends Error {
  constructor(code: number) {
    super(`PostgreSQL sent a message '${String.fromCharCode(code)}' that is too long`)
  }
}

/** Decides what of the bytes that arrive is handed on. */
export class MessageBound {
  readonly #bytesMax: number
  /** Of the message that is arriving. */
  #left = 0
  /** Of the message that is arriving, when it is too long: its code, and the beginning of an error. */
  #cut: { readonly code: number; kept: Buffer } | undefined
  /** Less than a header. */
  #held = NOTHING

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  /** @throws MessageTooLongError */
  pass(chunk: Buffer): Buffer[] {
    const bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk])
    this.#held = NOTHING
    const passed: Buffer[] = []
    let from = 0
    let at = 0
    for (;;) {
      const came = Math.min(this.#left, bytes.length - at)
      if (this.#cut !== undefined) {
        keep(this.#cut, bytes.subarray(at, at + came))
        from = at + came
      }
      at += came
      this.#left -= came
      if (this.#left > 0) break
      if (this.#cut !== undefined) passed.push(standInFor(this.#cut))
      this.#cut = undefined
      if (bytes.length - at < HEADER_BYTES) break
      const code = bytes[at] as number
      const length = bytes.readUInt32BE(at + 1)
      if (length <= (code === CODE.error ? ERROR_BYTES_MAX : this.#bytesMax)) {
        this.#left = length + 1
      } else {
        if (!CUTTABLE.includes(code)) throw new MessageTooLongError(code)
        passed.push(bytes.subarray(from, at))
        this.#cut = { code, kept: NOTHING }
        at += HEADER_BYTES
        from = at
        this.#left = length + 1 - HEADER_BYTES
      }
    }
    const to = this.#left > 0 ? bytes.length : at
    if (to > from) passed.push(bytes.subarray(from, to))
    if (to < bytes.length) this.#held = Buffer.from(bytes.subarray(to))
    return passed.filter(({ length }) => length > 0)
  }
}

function keep(cut: { readonly code: number; kept: Buffer }, bytes: Buffer): void {
  if (cut.code !== CODE.error || cut.kept.length >= ERROR_BYTES_MAX) return
  cut.kept = Buffer.concat([cut.kept, bytes.subarray(0, ERROR_BYTES_MAX - cut.kept.length)])
}

function standInFor({ code, kept }: { readonly code: number; readonly kept: Buffer }): Buffer {
  if (code === CODE.row) return CUT_ROW
  if (code === CODE.notice) return CUT_NOTICE
  if (code === CODE.error) return cutError(kept)
  return NOTHING
}

/** Its fields as far as they go; the last one ends with a whole character. */
function cutError(kept: Buffer): Buffer {
  let end = kept.length
  while (end > 0 && ((kept[end - 1] as number) & 0xc0) === 0x80) end -= 1
  if (end > 0 && (kept[end - 1] as number) >= 0xc0) end -= 1
  const body = Buffer.concat([kept.subarray(0, end), Buffer.from([0, 0])])
  const header = Buffer.from([CODE.error, 0, 0, 0, 0])
  header.writeUInt32BE(body.length + 4, 1)
  return Buffer.concat([header, body])
}

/** A connection to PostgreSQL that takes no message longer than `bytesMax`. */
export class BoundedSocket extends Socket {
  readonly #bound: MessageBound

  constructor(bytesMax: number) {
    super()
    this.#bound = new MessageBound(bytesMax)
  }

  /** What the kernel has is handed to this. */
  override push(chunk: Buffer | null): boolean {
    if (chunk === null) return super.push(null)
    try {
      let takesMore = true
      for (const bytes of this.#bound.pass(chunk)) takesMore = super.push(bytes)
      return takesMore
    } catch (err) {
      if (!(err instanceof MessageTooLongError)) throw err
      this.destroy(err)
      return false
    }
  }
}
