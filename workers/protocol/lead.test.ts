import t from 'tap'
import {
  done,
  endOf,
  entriesAfter,
  peer,
  run,
  stateRead,
  worker
} from '../../testing/fixtures/protocol.ts'
import { type Entry, ORIGIN } from '../entry.ts'
import type { Confirm, Message } from './messages.ts'
import type { Effect, Event, State } from './state.ts'
import { viewOf } from './view.ts'

const [first] = entriesAfter(ORIGIN, { count: 1, term: 1, tag: 'begin' })
const begun = endOf(first === undefined ? [] : [first])
const peers = new Map([
  ['a', peer({ pid: 100, role: 'master' })],
  ['b', peer({ pid: 200 })],
  ['c', peer({ pid: 300 })]
])
const three = { term: 1, master: 'a', inSync: ['a', 'b', 'c'] }

/** A master of term 1 whose empty first entry is in its log. */
function master(): State {
  const candidate = worker({
    peers,
    role: { kind: 'candidate', term: 1, sinceMs: 0, published: true }
  })
  const elected = run(candidate, [stateRead(three, { version: 5, beganMs: 0 })])
  if (first === undefined) throw new Error('no first entry')
  return run(elected.state, [{ kind: 'termBegun', term: 1, entry: first }]).state
}

const confirm = (from: string, changes: Partial<Confirm> = {}): Event => {
  const { index, checksum } = begun
  const said = { kind: 'confirm', term: 1, from, index, checksum, barrier: 0, joining: false }
  return { kind: 'message', message: { ...said, ...changes } as Message }
}

t.test('an entry is committed when every in-sync worker has confirmed it', async t => {
  const one = run(master(), [confirm('b')])
  t.equal(one.state.commitIndex, 0)
  t.equal(viewOf(one.state, 1).leads, false, 'and nothing is consumed before')
  const all = run(one.state, [confirm('c')])
  t.equal(all.state.commitIndex, 1)
  t.equal(viewOf(all.state, 1).leads, true)
})

t.test('a confirmation counts only in the own term and with the own checksum', async t => {
  const wrong = [confirm('c', { term: 2 }), confirm('c', { checksum: 'other' })]
  const { state } = run(master(), [confirm('b'), ...wrong])
  t.equal(state.commitIndex, 0)
})

t.test(
  'a replica whose znode is gone leaves the set first, then the entry is committed',
  async t => {
    const alive = new Map([...peers].filter(([id]) => id !== 'c'))
    const removing = run(master(), [confirm('b'), { kind: 'peers', peers: alive }])
    t.match(done(removing.effects, 'cas'), [{ version: 5, to: { inSync: ['a', 'b'] } }])
    t.equal(removing.state.commitIndex, 0)

    const settled = { kind: 'casSettled', beganMs: 1 } as const
    const node = { state: { ...three, clusterId: 'test', inSync: ['a', 'b'] }, version: 6 }
    t.equal(run(removing.state, [{ ...settled, node }]).state.commitIndex, 1)
  }
)

t.test('a removal never leaves fewer than minCopies', async t => {
  const alone = new Map([...peers].filter(([id]) => id === 'a'))
  const { effects, state } = run(master(), [{ kind: 'peers', peers: alone }])
  t.match(done(effects, 'cas'), [{ to: { inSync: { length: 2 } } }])
  t.equal(state.commitIndex, 0)
})

t.test('who is being added has to confirm from the moment that is asked for', async t => {
  const withD = new Map(peers).set('d', peer({ pid: 400 }))
  const level = [confirm('b'), confirm('c'), confirm('d', { joining: true })]
  const adding = run(master(), [{ kind: 'peers', peers: withD }, ...level])
  t.match(done(adding.effects, 'cas'), [{ to: { inSync: ['a', 'b', 'c', 'd'] } }])

  const entries = entriesAfter(begun, { count: 1, term: 1 })
  const { index, checksum } = endOf(entries)
  const others = [confirm('b', { index, checksum }), confirm('c', { index, checksum })]
  const wrote = run(adding.state, [{ kind: 'executed', term: 1, entries }, ...others])
  t.equal(wrote.state.commitIndex, 1)
  t.equal(run(wrote.state, [confirm('d', { index, checksum })]).state.commitIndex, 2)
})

t.test('a replica that owes a confirmation for too long is removed', async t => {
  const late = run(master(), [confirm('b'), { kind: 'tick' }], 1)
  t.strictSame(done(late.effects, 'cas'), [])
  const timedOut = run(late.state, [{ kind: 'tick' }], 1_100)
  t.match(done(timedOut.effects, 'cas'), [{ to: { inSync: { length: 2 } } }])
})

t.test('large entries have more time to be confirmed', async t => {
  const level = run(master(), [confirm('b'), confirm('c')]).state
  const [entry] = entriesAfter(begun, { count: 1, term: 1 })
  const entries = [{ ...(entry as Entry), changes: 'x'.repeat(8 * 1024 * 1024) }]
  const wrote = run(level, [{ kind: 'executed', term: 1, entries }]).state
  t.strictSame(done(run(wrote, [{ kind: 'tick' }], 3_000).effects, 'cas'), [])
  const overdue = run(wrote, [{ kind: 'tick' }], 3_100)
  t.match(done(overdue.effects, 'cas'), [{ to: { inSync: { length: 2 } } }])
})

t.test("time in which RabbitMQ takes no messages is no replica's fault", async t => {
  const blocked = run(master(), [{ kind: 'amqpBlocked', isBlocked: true }, { kind: 'tick' }], 1)
  const later = run(blocked.state, [{ kind: 'tick' }], 30_000)
  t.strictSame(done(later.effects, 'cas'), [])
  const free = run(later.state, [{ kind: 'amqpBlocked', isBlocked: false }], 30_001)
  t.strictSame(done(run(free.state, [{ kind: 'tick' }], 30_900).effects, 'cas'), [])
  const overdue = run(free.state, [{ kind: 'tick' }], 31_002)
  t.match(done(overdue.effects, 'cas'), [{ to: { inSync: { length: 2 } } }])
})

t.test(
  'of two that owe too much none takes the place of the other before it has confirmed',
  async t => {
    const level = run(master(), [confirm('b'), confirm('c')]).state
    const entries = entriesAfter(begun, { count: 1, term: 1 })
    const { index, checksum } = endOf(entries)
    const wrote = run(level, [{ kind: 'executed', term: 1, entries }]).state
    const overdue = run(wrote, [{ kind: 'tick' }], 1_100)
    t.match(done(overdue.effects, 'cas'), [{ to: { inSync: ['a', 'b'] } }])

    const node = { state: { ...three, clusterId: 'test', inSync: ['a', 'b'] }, version: 6 }
    const removed = run(overdue.state, [{ kind: 'casSettled', beganMs: 1_101, node }], 1_102)
    const slow = run(removed.state, [confirm('c', { joining: true })], 1_103)
    t.strictSame(done(slow.effects, 'cas'), [])
    const caughtUp = run(slow.state, [confirm('c', { index, checksum, joining: true })], 1_104)
    t.match(done(caughtUp.effects, 'cas'), [{ to: { inSync: ['a', 'c'] } }])
  }
)

t.test('what a member asked before it was removed does not bring it back', async t => {
  const unaware = run(master(), [confirm('b'), confirm('c', { joining: true })]).state
  const entries = entriesAfter(begun, { count: 1, term: 1 })
  const { index, checksum } = endOf(entries)
  const owed = run(unaware, [
    { kind: 'executed', term: 1, entries },
    confirm('b', { index, checksum })
  ]).state
  const without = { ...three, inSync: ['a', 'b'] }
  const removed = run(owed, [stateRead(without, { version: 6, beganMs: 2 })], 2)
  t.strictSame(done(removed.effects, 'cas'), [])
  const asks = run(removed.state, [confirm('c', { index, checksum, joining: true })], 3)
  t.match(done(asks.effects, 'cas'), [{ to: { inSync: ['a', 'b', 'c'] } }])
})

t.test('a master that is told of a higher term answers nothing more', async t => {
  const refusal = { kind: 'message', message: { kind: 'refuse', term: 2, from: 'b' } } as const
  const { state, effects } = run(master(), [confirm('b'), confirm('c'), refusal])
  t.equal(viewOf(state, 1).leads, false)
  t.strictSame(done(effects, 'readState').length > 0, true)
})

t.test('a master that lost its session goes on when /state still has its term', async t => {
  const lost = run(master(), [confirm('b'), confirm('c'), { kind: 'sessionLost' }], 10)
  t.equal(viewOf(lost.state, 10).leads, false)
  const back = run(lost.state, [stateRead(three, { version: 5, beganMs: 20 })], 21)
  t.equal(viewOf(back.state, 21).leads, true)
  t.equal(back.state.role.kind, 'leader')
})

t.test('what was executed in an older term is not sent as part of this one', async t => {
  const entries = entriesAfter(begun, { count: 1, term: 0 })
  const { effects, state } = run(master(), [{ kind: 'executed', term: 0, entries }])
  t.strictSame(
    done(effects, 'send').filter(
      effect =>
        'message' in effect && 'entries' in effect.message && effect.message.entries.length > 0
    ),
    []
  )
  t.equal(state.last.index, 2)
})

t.test('a master makes room for one that has RabbitMQ when it has not, and else waits', async t => {
  const cutOff = run(master(), [{ kind: 'amqpDown' }], 10).state
  const role = (state: State, nowMs: number) =>
    run(state, [{ kind: 'tick' }], nowMs).state.role.kind
  t.strictSame([role(cutOff, 1_009), role(cutOff, 1_010)], ['leader', 'follower'])

  const noneReaches = new Map([...peers].map(([id, of]) => [id, { ...of, reachesAmqp: false }]))
  const broker = run(cutOff, [{ kind: 'peers', peers: noneReaches }], 20).state
  t.equal(role(broker, 60_000), 'leader', 'nobody has it: RabbitMQ is down')
  const back = run(broker, [{ kind: 'peers', peers }], 60_000).state
  t.strictSame([role(back, 60_999), role(back, 61_000)], ['leader', 'follower'], 'it may be slower')
})

t.test('of a batch too large for one message what does not fit is fetched', async t => {
  const changes = 'x'.repeat(12 * 1024 * 1024)
  const entries = entriesAfter(begun, { count: 4, term: 1, changes })
  const wrote = run(master(), [{ kind: 'executed', term: 1, entries }])
  const beat = run(wrote.state, [{ kind: 'tick' }], 200)
  const [news, after] = [...sent(wrote.effects), ...sent(beat.effects)]
  if (news?.kind !== 'append' || after === undefined) throw new Error('nothing was sent')
  t.strictSame(news.entries, entries.slice(0, 2))

  const joined = worker({ self: { id: 'b', pid: 200 }, term: 1, last: begun })
  const heard = run(joined, [
    stateRead(three, { version: 5, beganMs: 0 }),
    { kind: 'message', message: news },
    { kind: 'message', message: after }
  ])
  t.match(done(heard.effects, 'apply'), [{ entries: { length: 1 } }], 'a part at a time')
  const asked = sent(heard.effects).find(({ kind }) => kind === 'fetch')
  t.match(asked, { after: news.entries[1]?.index })
})

const sent = (effects: readonly Effect[]): Message[] =>
  effects.flatMap(effect => (effect.do === 'send' ? [effect.message] : []))
