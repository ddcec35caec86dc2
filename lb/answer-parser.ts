/**
 * HTTP answers as services give them, one after the other on a connection: a head with a
 * `content-length`, then so many bytes. Whatever else HTTP has is told from it and left to
 * a full client. Pure.
 */
import { type Answer, HELD_MAX_BYTES } from './exchange.ts'

const HEAD_END = '\r\n\r\n'
/** As node's own limit. */
const HEAD_MAX_BYTES = 16 * 1024
const STATUS = /^HTTP\/1\.1 ([2-5]\d\d) /
const LENGTH = /^\d{1,9}$/
const EMPTY = Buffer.alloc(0)

export class AnswerParser {
  #rest: Buffer[] = []
  #restBytes = 0
  /** Bytes without which there is no next answer. */
  #needed = 0

  /** @returns the answers that are whole; not plain when what follows is none for here */
  read(chunk: Buffer): { readonly answers: Answer[]; readonly plain: boolean } {
    this.#rest.push(chunk)
    this.#restBytes += chunk.length
    const answers: Answer[] = []
    if (this.#restBytes < this.#needed) return { answers, plain: true }
    const bytes = this.#rest.length === 1 ? chunk : Buffer.concat(this.#rest)
    let at = 0
    let plain = true
    this.#needed = 0
    while (at < bytes.length) {
      const end = bytes.indexOf(HEAD_END, at, 'latin1')
      if (end === -1) {
        plain = bytes.length - at <= HEAD_MAX_BYTES
        break
      }
      const head = headOf(bytes.toString('latin1', at, end))
      plain = head !== undefined
      if (head === undefined) break
      const from = end + HEAD_END.length
      const next = from + head.bytes
      if (next > bytes.length) {
        this.#needed = next - at
        break
      }
      const body = head.bytes === 0 ? EMPTY : bytes.subarray(from, next)
      answers.push({ kind: 'answer', status: head.status, headers: head.headers, body })
      at = next
    }
    this.#rest = at < bytes.length ? [bytes.subarray(at)] : []
    this.#restBytes = bytes.length - at
    return { answers, plain }
  }
}

/** Undefined when it is not for here. */
function headOf(text: string) {
  const [first = '', ...lines] = text.split('\r\n')
  const status = Number(STATUS.exec(first)?.[1])
  if (Number.isNaN(status)) return undefined
  const headers: Record<string, string> = {}
  for (const line of lines) {
    const colon = line.indexOf(':')
    const name = line.slice(0, colon).toLowerCase()
    // One that comes twice would need the rules for each name.
    if (colon < 1 || name in headers) return undefined
    headers[name] = line.slice(colon + 1).trim()
  }
  if (headers['transfer-encoding'] !== undefined) return undefined
  const bodyless = status === 204 || status === 304
  const length = headers['content-length'] ?? ''
  const bytes = bodyless ? 0 : LENGTH.test(length) ? Number(length) : Number.NaN
  return bytes <= HELD_MAX_BYTES ? { status, headers, bytes } : undefined
}
