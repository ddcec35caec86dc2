/**
 * Many calls over one HTTP connection: a service's to `db/read` and `db/write`, sent as
 * they come and answered as each is ready, in any order. A call is one line of JSON. An
 * answer is a line with its number, status, bytes and seconds to wait (0: none), then
 * the body and a line's end: the body is a worker's bytes, and is not looked into.
 * Pure: bytes in, calls and answers out.
 */

import { isUtf8 } from 'node:buffer'

/** Where they are asked for; the body and the answer go on as long as both want. */
export const CALLS_PATH = '/api/v1/db/calls'
export const CALLS_TYPE = 'application/x-ndjson'

/** Larger ones are calls of their own: they would hold up those behind them. */
export const CALL_MAX_BYTES = 64 * 1024

export interface NumberedCall {
  /** The caller's own, unique among those unanswered on the connection. */
  readonly n: number
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: unknown
}

export interface NumberedAnswer {
  readonly n: number
  readonly status: number
  /** 0 when nothing is said of it. */
  readonly retryAfterS: number
  readonly body: Buffer
}

/** @param body JSON text; goes in as it is, so it holds no line's end (JSON.stringify makes none) */
export function encodeCall(call: Omit<NumberedCall, 'body'> & { readonly body: string }): string {
  const { n, path, headers, body } = call
  return `{"n":${n},"path":"${path}","headers":${JSON.stringify(headers)},"body":${body}}\n`
}

const LINE_END = Buffer.from('\n')

/** The parts of one answer, to be sent one after the other. */
export function encodeAnswer({ n, status, retryAfterS, body }: NumberedAnswer): Buffer[] {
  return [Buffer.from(`${n} ${status} ${body.length} ${retryAfterS}\n`, 'latin1'), body, LINE_END]
}

/** Bytes that have come and make nothing whole yet. */
class Rest {
  #parts: Buffer[] = []
  #bytes = 0

  get bytes(): number {
    return this.#bytes
  }

  /** All bytes so far, `chunk` the last of them. */
  with(chunk: Buffer): Buffer {
    if (this.#bytes === 0) return chunk
    const all = Buffer.concat([...this.#parts, chunk])
    this.#parts = []
    this.#bytes = 0
    return all
  }

  keep(part: Buffer): void {
    if (part.length === 0) return
    this.#parts.push(part)
    this.#bytes += part.length
  }
}

export class CallReader {
  readonly #rest = new Rest()
  readonly #onCall: (text: string, call: NumberedCall) => void

  /** @param onCall sees each call before it is given out, and the line that it was */
  constructor(onCall: (text: string, call: NumberedCall) => void = () => {}) {
    this.#onCall = onCall
  }

  /** @throws Error when what came is no call, or larger than a call may be */
  read(chunk: Buffer): NumberedCall[] {
    const calls: NumberedCall[] = []
    const lineEnds = chunk.includes(10)
    const bytes = lineEnds ? this.#rest.with(chunk) : chunk
    let at = 0
    for (let end = bytes.indexOf(10); end !== -1; end = bytes.indexOf(10, at)) {
      const line = bytes.subarray(at, end)
      if (!isUtf8(line)) throw new Error('a call is no UTF-8')
      const text = line.toString()
      const call = parse(text)
      this.#onCall(text, call)
      calls.push(call)
      at = end + 1
    }
    this.#rest.keep(bytes.subarray(at))
    // Twice: the call around the body takes some bytes too.
    if (this.#rest.bytes > 2 * CALL_MAX_BYTES) throw new Error('a call is too large')
    return calls
  }
}

function parse(line: string): NumberedCall {
  const call = JSON.parse(line) as Partial<NumberedCall> | null
  const { n, path, headers, body } = call ?? {}
  if (typeof n !== 'number' || typeof path !== 'string') throw new Error('a line is no call')
  if (typeof headers !== 'object' || headers === null) throw new Error('a call has no headers')
  return { n, path, headers, body }
}

export class AnswerReader {
  readonly #rest = new Rest()
  /** Bytes without which there is no next answer. */
  #needed = 0

  /** @throws Error when what came is no answer */
  read(chunk: Buffer): NumberedAnswer[] {
    if (this.#rest.bytes + chunk.length < this.#needed) {
      this.#rest.keep(chunk)
      return []
    }
    const bytes = this.#rest.with(chunk)
    const answers: NumberedAnswer[] = []
    this.#needed = 0
    let at = 0
    for (let end = bytes.indexOf(10); end !== -1; end = bytes.indexOf(10, at)) {
      const [n = 0, status = 0, size = -1, retryAfterS = 0] = numbers(
        bytes.toString('latin1', at, end)
      )
      const next = end + 1 + size + LINE_END.length
      if (next > bytes.length) {
        this.#needed = next - at
        break
      }
      answers.push({ n, status, retryAfterS, body: bytes.subarray(end + 1, end + 1 + size) })
      at = next
    }
    this.#rest.keep(bytes.subarray(at))
    return answers
  }
}

function numbers(line: string): number[] {
  const all = line.split(' ').map(Number)
  if (all.length !== 4 || !all.every(Number.isInteger)) throw new Error('this is no answer')
  return all
}
