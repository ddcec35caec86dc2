import t from 'tap'
import { decodeReplies, encodeReplies, type Reply } from './requests.ts'

const MIB = 1024 * 1024

const reply = (id: string, body: string): Reply => ({ id, kind: 'read', status: 200, body })
const idsOf = (messages: readonly Buffer[]) =>
  messages.map(message =>
    decodeReplies(message)
      .map(({ id }) => id)
      .join()
  )

t.test('replies come as they were sent, in one message', async t => {
  const [message, ...more] = encodeReplies([reply('a', '{"text":"€"}'), reply('b', '')])
  t.strictSame(more, [])
  const read = message === undefined ? [] : decodeReplies(message)
  t.strictSame(
    read.map(({ body, ...rest }) => ({ ...rest, body: String(body) })),
    [reply('a', '{"text":"€"}'), reply('b', '')]
  )
})

t.test('replies too large for one message come in several, in their order', async t => {
  const [small, half, huge] = ['{}', 'h'.repeat(2 * MIB), 'x'.repeat(8 * MIB)]
  const bodies = { a: small, b: half, c: half, d: small, e: huge, f: huge, g: small }
  const replies = Object.entries(bodies).map(([id, body]) => reply(id, body))
  t.strictSame(idsOf(encodeReplies(replies)), ['a,b', 'c,d', 'e', 'f', 'g'])
  t.strictSame(idsOf(encodeReplies(replies.slice(1, 3))), ['b,c'], 'as many as fit')
  t.strictSame(idsOf(encodeReplies(replies.slice(4, 5))), ['e'], 'one alone goes whole')
})
