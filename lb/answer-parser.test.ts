import t from 'tap'
import { AnswerParser } from './answer-parser.ts'

const TWO = [
  'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\ncontent-length: 5\r\n\r\na\r\n\r\n',
  'HTTP/1.1 204 No Content\r\nx-request-id: r\r\n\r\n'
].join('')

t.test('answers are taken one after the other, however they are cut', async t => {
  for (const size of [1, 9, 1_000]) {
    const parser = new AnswerParser()
    const bytes = Buffer.from(TWO)
    const answers: unknown[] = []
    for (let at = 0; at < bytes.length; at += size) {
      const read = parser.read(bytes.subarray(at, at + size))
      t.ok(read.plain)
      for (const { status, headers, body } of read.answers) {
        answers.push([status, headers, String(body)])
      }
    }
    t.strictSame(answers, [
      [200, { 'content-type': 'text/plain', 'content-length': '5' }, 'a\r\n\r\n'],
      [204, { 'x-request-id': 'r' }, '']
    ])
  }
})

t.test('what needs more of HTTP than a length is not for here', async t => {
  for (const head of [
    'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked',
    'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 1',
    'HTTP/1.1 200 OK',
    'HTTP/1.1 200 OK\r\ncontent-length: ',
    'HTTP/1.1 200 OK\r\ncontent-length: -1',
    'HTTP/1.1 200 OK\r\ncontent-length: 99999999',
    'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 1',
    'HTTP/1.1 103 Early Hints',
    'HTTP/1.0 200 OK\r\ncontent-length: 1',
    'HTTP/1.1 200 OK\r\n folded\r\ncontent-length: 1'
  ]) {
    t.strictSame(new AnswerParser().read(Buffer.from(`${head}\r\n\r\n`)), {
      answers: [],
      plain: false
    })
  }
  t.equal(new AnswerParser().read(Buffer.alloc(20_000, 'x')).plain, false)
})

t.test('answers before one that is not for here are taken', async t => {
  const { answers, plain } = new AnswerParser().read(Buffer.from(`${TWO}HTTP/1.1 100 \r\n\r\n`))
  t.strictSame([answers.length, plain], [2, false])
})
