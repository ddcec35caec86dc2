import t from 'tap'
import { linesIn } from './output.ts'

const piece = (stream: number, text: string) => {
  const header = Buffer.alloc(8)
  header.writeUInt8(stream, 0)
  header.writeUInt32BE(Buffer.byteLength(text), 4)
  return Buffer.concat([header, Buffer.from(text)])
}

t.test('lines are put together from the pieces of both streams', async t => {
  const output = Buffer.concat([piece(1, 'one\ntw'), piece(2, 'ö\n'), piece(1, '\nthree')])
  t.strictSame(linesIn(output), ['one', 'twö', 'three'])
})

t.test('no output, and a cut off piece, are no lines', async t => {
  t.strictSame(linesIn(Buffer.alloc(0)), [])
  t.strictSame(linesIn(Buffer.alloc(5)), [])
})
