import t from 'tap'
import { holdNews } from './announce.ts'
import type { Append, Message } from './protocol/messages.ts'

const SYNC = { exchange: 'sync' } as const
const news = (commitIndex: number, more: Partial<Append> = {}): Append => ({
  ...{ kind: 'append', term: 1, from: 'm', ackTo: 'ack.m', prev: { index: 3, checksum: 'c' } },
  ...{ commitIndex, barrier: 1, keepAfter: 0, entries: [] },
  ...more
})
const entry = { index: 4, term: 1, requestId: 'r', commandHash: '', status: 200 }
const entries = [{ ...entry, changes: '[]', result: '[]', checksum: 'd' }]

function start() {
  const sent: Message[] = []
  const timers: (() => void)[] = []
  let isBusy = false
  const send = holdNews({
    send: (_to, message) => sent.push(message),
    busy: () => isBusy,
    after: (_ms, then) => void timers.push(then)
  })
  send(SYNC, news(1))
  return {
    ...{ sent, send },
    busy: (now: boolean) => {
      isBusy = now
    },
    pass: () => timers.splice(0).forEach(then => void then())
  }
}

t.test('the commit index alone waits a moment, and only its newest value is told', async t => {
  const { sent, send, pass } = start()
  send(SYNC, news(2))
  send(SYNC, news(3))
  t.strictSame(sent, [news(1)])
  pass()
  t.strictSame(sent, [news(1), news(3)])
  pass()
  t.equal(sent.length, 2)
})

t.test('entries make it needless', async t => {
  const { sent, send, pass } = start()
  send(SYNC, news(2))
  send(SYNC, news(2, { entries }))
  pass()
  t.strictSame(sent, [news(1), news(2, { entries })])
})

t.test('it waits for the batch that is being executed, with or without entries', async t => {
  const { sent, send, busy, pass } = start()
  busy(true)
  send(SYNC, news(2))
  pass()
  t.equal(sent.length, 1)
  busy(false)
  pass()
  t.strictSame(sent, [news(1), news(2)])
})

t.test('a barrier, another term and what one worker alone is told go out at once', async t => {
  const { sent, send } = start()
  send(SYNC, news(2, { barrier: 2 }))
  send(SYNC, news(2, { barrier: 2, term: 2 }))
  send('sync.w2', news(3, { barrier: 2, term: 2 }))
  t.equal(sent.length, 4)
})
