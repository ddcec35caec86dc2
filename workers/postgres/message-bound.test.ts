import t from 'tap'
import { isCutRow, MessageBound } from './message-bound.ts'

const MAX = 40_000

function message(code: string, body: Buffer): Buffer {
  const header = Buffer.from([code.charCodeAt(0), 0, 0, 0, 0])
  header.writeUInt32BE(body.length + 4, 1)
  return Buffer.concat([header, body])
}

/** What is handed on when the bytes arrive in pieces of up to `bytesMax`. */
function passed(all: Buffer, bytesMax: number): Buffer {
  const bound = new MessageBound(MAX)
  const out: Buffer[] = []
  for (let at = 0; at < all.length; ) {
    const to = at + 1 + Math.floor(Math.random() * bytesMax)
    out.push(...bound.pass(all.subarray(at, to)))
    at = to
  }
  return Buffer.concat(out)
}

const SHORT = [
  message('1', Buffer.alloc(0)),
  message('D', Buffer.from('some row')),
  message('Z', Buffer.from('I')),
  message('D', Buffer.alloc(MAX - 4, 'x')),
  message('E', Buffer.from('SERROR\0Mshort\0\0'))
]
const CUT_ROW = message('D', Buffer.from([0, 1, 0, 0, 0, 1, 0]))

t.test('short messages pass unchanged, however they are split', async t => {
  const all = Buffer.concat(SHORT)
  for (const bytesMax of [1, 3, 7, 100, 1_000, 65_536]) {
    t.ok(passed(all, bytesMax).equals(all), `${bytesMax}`)
  }
})

t.test('a row that is too long is cut, and what surrounds it passes', async t => {
  const long = [MAX - 3, MAX * 2, MAX * 50].map(bytes => message('D', Buffer.alloc(bytes, 'y')))
  const all = Buffer.concat(long.flatMap(one => [...SHORT, one, one]).concat(SHORT))
  const expected = Buffer.concat(long.flatMap(() => [...SHORT, CUT_ROW, CUT_ROW]).concat(SHORT))
  for (const bytesMax of [1, 5, 6, 1_000, 65_536]) {
    t.ok(passed(all, bytesMax).equals(expected), `${bytesMax}`)
  }
})

t.test('an error that is too long keeps its beginning, up to a whole character', async t => {
  for (const letter of ['a', 'é', '漢', '😀']) {
    const text = letter.repeat(30_000)
    const long = message('E', Buffer.from(`SERROR\0C22P02\0M${text}\0P5\0\0`))
    for (const bytesMax of [1, 1_000, 65_536]) {
      const all = passed(Buffer.concat([...SHORT, long, ...SHORT]), bytesMax)
      const start = Buffer.concat(SHORT).length
      const length = all.readUInt32BE(start + 1)
      t.ok(length > 16_000 && length < 17_000, `${length}`)
      const body = all.subarray(start + 5, start + 1 + length).toString()
      t.match(body, new RegExp(`^SERROR\0C22P02\0M(${letter})+\0\0$`, 'u'))
      t.ok(all.subarray(start + 1 + length).equals(Buffer.concat(SHORT)))
    }
  }
})

t.test('notices and copied data are left out; anything else ends the connection', async t => {
  const bytes = Buffer.alloc(MAX * 2)
  t.ok(passed(message('N', bytes), 1_000).equals(message('N', Buffer.from([0]))))
  t.equal(passed(message('d', bytes), 1_000).length, 0)
  t.throws(() => passed(message('T', bytes), 1_000), { message: /'T' that is too long/ })
})

t.test('no text of PostgreSQL is taken for the row that stands in', async t => {
  t.equal(isCutRow(['\0']), true)
  for (const row of [[], [''], [null], ['0'], ['\\0'], ['\0', '\0']]) t.equal(isCutRow(row), false)
})

t.test('what is kept of a long message does not grow with it', async t => {
  const bound = new MessageBound(MAX)
  const header = Buffer.from([0x44, 0x20, 0, 0, 0])
  const chunk = Buffer.alloc(65_536)
  bound.pass(header)
  const before = process.memoryUsage().rss
  let passed = 0
  for (let i = 0; i < 8_000; i++) passed += bound.pass(chunk).length
  t.equal(passed, 0)
  t.ok(process.memoryUsage().rss - before < 64 * 1024 * 1024)
})
