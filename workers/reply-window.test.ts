import t from 'tap'
import { ReplyWindow } from './reply-window.ts'

const reply = (client: string, cost: number, more: object = {}) => {
  return { client, cost, isWrite: false, expiresAtMs: 10_000, ...more }
}
const left = (window: ReplyWindow<ReturnType<typeof reply>>, nowMs = 0) => {
  const all: string[] = []
  for (let one = window.next(100, nowMs); one; one = window.next(100, nowMs)) {
    all.push(one.n === undefined ? `${one.reply.client} too late` : one.reply.client)
  }
  return all
}

t.test('so many bytes are on their way, until the orchestrator has taken them', async t => {
  const window = new ReplyWindow()
  for (let i = 0; i < 5; i++) window.add(reply('a', 40))
  t.strictSame(left(window), ['a', 'a'])
  t.strictSame([window.sentBytes, window.readBytes, window.readBytesOf('a')], [80, 120, 120])
  window.taken(1)
  window.taken(1)
  t.strictSame(left(window), ['a'])
  t.strictSame([window.sentBytes, window.readBytes], [80, 80])
})

t.test('what nobody takes holds its bytes for a second', async t => {
  const window = new ReplyWindow()
  for (const client of ['a', 'b']) window.add(reply(client, 80))
  t.strictSame(left(window), ['a'])
  t.strictSame(left(window, 999), [])
  t.strictSame(left(window, 1_000), ['b'])
})

t.test('a reply that is larger than all goes alone', async t => {
  const window = new ReplyWindow()
  for (const cost of [500, 10]) window.add(reply('a', cost))
  t.strictSame(left(window), ['a'])
  t.equal(window.sentBytes, 500)
  window.taken(1)
  t.strictSame(left(window), ['a'])
})

t.test('clients have their turns, and writes go first', async t => {
  const window = new ReplyWindow()
  for (const client of ['a', 'a', 'b']) window.add(reply(client, 30))
  window.add(reply('w', 30, { isWrite: true }))
  t.equal(window.writeBytes, 30)
  t.strictSame(left(window), ['w', 'a', 'b'])
  t.equal(window.writeBytes, 0)
})

t.test('what nobody waits for any more is told, and not sent', async t => {
  const window = new ReplyWindow()
  for (const client of ['a', 'b']) window.add(reply(client, 30, { expiresAtMs: 5 }))
  window.add(reply('c', 30))
  t.strictSame(left(window, 6), ['a too late', 'b too late', 'c'])
  t.equal(window.sentBytes, 30)
})

t.test('with the link all of it is gone', async t => {
  const window = new ReplyWindow()
  for (let i = 0; i < 5; i++) window.add(reply('a', 40))
  window.add(reply('w', 40, { isWrite: true }))
  left(window)
  window.clear()
  t.strictSame([window.sentBytes, window.readBytes, window.writeBytes], [0, 0, 0])
  t.equal(window.readBytesOf('a'), 0)
  t.strictSame(left(window), [])
})
