import t from 'tap'
import {
  AnswerReader,
  CALL_MAX_BYTES,
  CallReader,
  encodeAnswer,
  encodeCall,
  type NumberedAnswer
} from './calls.ts'

const CALLS = [
  { n: 1, path: '/read', headers: { 'x-request-id': 'a' }, body: { sql: "select '€\n'" } },
  { n: 2, path: '/write', headers: {}, body: null }
]
const ANSWERS: NumberedAnswer[] = [
  { n: 2, status: 200, retryAfterS: 0, body: Buffer.from('{"text":\n"€"}') },
  { n: 1, status: 503, retryAfterS: 1, body: Buffer.alloc(0) }
]

/** What `read` makes of `bytes` that come in pieces of `size`. */
function inPieces<T>(bytes: Buffer, size: number, read: (chunk: Buffer) => T[]): T[] {
  const all: T[] = []
  for (let at = 0; at < bytes.length; at += size) all.push(...read(bytes.subarray(at, at + size)))
  return all
}

t.test('calls are read as they were written, however they are cut', async t => {
  const text = CALLS.map(call => encodeCall({ ...call, body: JSON.stringify(call.body) })).join('')
  for (const size of [1, 7, 1_000]) {
    const reader = new CallReader()
    t.strictSame(
      inPieces(Buffer.from(text), size, chunk => reader.read(chunk)),
      CALLS
    )
  }
})

t.test('answers are read as they were written, whatever their bytes, however cut', async t => {
  const bytes = Buffer.concat(ANSWERS.flatMap(encodeAnswer))
  for (const size of [1, 7, 1_000]) {
    const reader = new AnswerReader()
    t.strictSame(
      inPieces(bytes, size, chunk => reader.read(chunk)),
      ANSWERS
    )
  }
})

t.test('what is no call, or too large for one, is refused', async t => {
  const lines = ['{', 'null', '[]', '{"n":1}', '{"n":"1","path":"/","headers":{}}']
  for (const line of [...lines, '{"n":1,"path":"/"}']) {
    t.throws(() => new CallReader().read(Buffer.from(`${line}\n`)), line)
  }
  const reader = new CallReader()
  t.throws(() => reader.read(Buffer.alloc(3 * CALL_MAX_BYTES, 'x')), /too large/)
})

t.test('what is no answer is refused', async t => {
  for (const line of ['1 200 5', '1 200 x 0', 'HTTP/1.1 200 OK']) {
    t.throws(() => new AnswerReader().read(Buffer.from(`${line}\n`)), line)
  }
})
