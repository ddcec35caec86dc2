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
import { ORIGIN } from '../entry.ts'
import type { Message } from './messages.ts'
import type { Event, State } from './state.ts'
import { mayServe, viewOf } from './view.ts'

const [first] = entriesAfter(ORIGIN, { count: 1, term: 1, tag: 'begin' })
const log = first === undefined ? [] : [first]
const three = { term: 1, master: 'a', inSync: ['a', 'b', 'c'] }
const peers = new Map([
  ['a', peer({ pid: 100, role: 'master' })],
  ['b', peer({ pid: 200 })],
  ['c', peer({ pid: 300 })]
])
const leaving = (...ids: string[]): Event => {
  return { kind: 'wishes', wishes: { leaving: ids, handoverOf: null } }
}
const handover: Event = { kind: 'wishes', wishes: { leaving: [], handoverOf: 1 } }

const confirm = (from: string, position = endOf(log)): Event => {
  const { index, checksum } = position
  const said = { kind: 'confirm', term: 1, from, index, checksum, barrier: 0, joining: false }
  return { kind: 'message', message: said as Message }
}

/** The master of term 1, its first entry committed. */
function master(): State {
  const role = { kind: 'candidate', term: 1, sinceMs: 0, published: true } as const
  const elected = run(worker({ peers, role }), [stateRead(three, { version: 5, beganMs: 0 })])
  const begun = log.map(entry => ({ kind: 'termBegun', term: 1, entry }) as const)
  return run(elected.state, [...begun, confirm('b'), confirm('c')]).state
}

const replica = (): State =>
  run(worker({ term: 1, last: endOf(log) }), [
    { kind: 'peers', peers },
    stateRead({ ...three, master: 'b' }, { version: 5, beganMs: 0 })
  ]).state

t.test(
  'a replica that leaves takes no reads, and is gone when /state names it no more',
  async t => {
    t.equal(viewOf(replica(), 1).reads, true)
    const { state } = run(replica(), [leaving('a')])
    t.match(viewOf(state, 1), { reads: false, role: 'replica', yields: true })
    t.equal(mayServe(state, 1), true, 'but answers what still comes')
    const unnamed = stateRead({ ...three, master: 'b', inSync: ['b'] }, { version: 6, beganMs: 1 })
    t.equal(viewOf(run(state, [unnamed]).state, 1).role, 'left')
  }
)

t.test('the master removes who leaves, and does not take it back', async t => {
  const asked = run(master(), [leaving('c')])
  t.match(done(asked.effects, 'cas'), [{ to: { inSync: ['a', 'b'] } }])
})

t.test('who leaves stays while fewer than minCopies would be left', async t => {
  const two = stateRead({ ...three, inSync: ['a', 'c'] }, { version: 6, beganMs: 1 })
  t.strictSame(done(run(master(), [two, leaving('c')]).effects, 'cas'), [])
})

t.test('a dead member goes before one that leaves and lives', async t => {
  const alive = new Map([...peers].filter(([id]) => id !== 'b'))
  const { effects } = run(master(), [{ kind: 'peers', peers: alive }, leaving('c')])
  t.match(done(effects, 'cas').at(-1), { to: { inSync: ['a', 'c'] } })
})

t.test('a master makes room when all that it has is committed', async t => {
  const entries = entriesAfter(endOf(log), { count: 1, term: 1 })
  const wrote = run(master(), [{ kind: 'executed', term: 1, entries }, handover])
  t.match(viewOf(wrote.state, 1), { leads: true, drains: true })
  const end = endOf(entries)
  const { state } = run(wrote.state, [confirm('b', end), confirm('c', end)])
  t.equal(state.role.kind, 'follower')
  t.equal(state.commitIndex, end.index, 'after its answers could leave')
  t.equal(viewOf(state, 1).yields, true, 'and is not the next one')
})

t.test('a handover that a member cannot follow is given up', async t => {
  const entries = entriesAfter(endOf(log), { count: 1, term: 1 })
  const wrote = run(master(), [{ kind: 'executed', term: 1, entries }, handover])
  const late = run(wrote.state, [{ kind: 'tick' }], 1_002)
  t.match(viewOf(late.state, 1_002), { role: 'master', drains: false })
  const again = run(late.state, [leaving(), handover], 1_003)
  t.equal(viewOf(again.state, 1_003).drains, true, 'until it is wished anew')
})

t.test('a master without another member in reach keeps its term', async t => {
  const alone = new Map([...peers].filter(([id]) => id === 'a'))
  const { state } = run(master(), [{ kind: 'peers', peers: alone }, handover])
  t.match(viewOf(state, 1), { role: 'master', drains: false })
})

t.test('the wish to hand over an earlier term has no meaning', async t => {
  const wishes = { leaving: [], handoverOf: 0 }
  t.equal(run(master(), [{ kind: 'wishes', wishes }]).state.role.kind, 'leader')
})

t.test('who has made room is elected only when nobody else stands', async t => {
  const last = endOf(log)
  const standing = new Map([
    ['a', peer({ pid: 100, role: 'candidate', term: 2, last, yields: true })],
    ['b', peer({ pid: 200, role: 'candidate', term: 2, last })]
  ])
  const role = { kind: 'candidate', term: 2, sinceMs: 0, published: true } as const
  const state = run(worker({ term: 1, last, role }), [
    stateRead({ ...three, inSync: ['a', 'b'] }, { version: 5, beganMs: 0 })
  ]).state
  const first = run(state, [{ kind: 'peers', peers: standing }])
  t.strictSame(done(first.effects, 'cas'), [])
  t.equal(done(run(first.state, [{ kind: 'tick' }], 101).effects, 'cas').length, 1)
})

const frozen = (...ids: string[]): Event => ({ kind: 'frozen', ids })

t.test(
  'a frozen replica takes no reads, follows on, and leads only if nobody else does',
  async t => {
    const { state } = run(replica(), [frozen('a')])
    t.match(viewOf(state, 1), { reads: false, role: 'replica', yields: true })
    t.equal(mayServe(state, 1), true, 'but answers what still comes')
    t.match(viewOf(run(state, [frozen()]).state, 1), { reads: true, yields: false })
  }
)

t.test('the master answers reads when every replica is frozen, and keeps them in sync', async t => {
  const begun = run(master(), [{ kind: 'peers', peers }]).state
  t.equal(viewOf(run(begun, [frozen('b')]).state, 1).reads, false)
  const alone = run(begun, [frozen('b', 'c')])
  t.equal(viewOf(alone.state, 1).reads, true)
  t.strictSame(done(alone.effects, 'cas'), [])
})

t.test('a frozen master leads on: that it hands over is asked of it first', async t => {
  t.match(viewOf(run(master(), [frozen('a')]).state, 1), { role: 'master', leads: true })
})

const wrong = (found: Readonly<Record<string, string>>): Event => {
  return { kind: 'wishes', wishes: { leaving: [], handoverOf: null, wrong: found } }
}

t.test('a master whose data is wrong makes room when all that it has is committed', async t => {
  const entries = entriesAfter(endOf(log), { count: 1, term: 1 })
  const wrote = run(master(), [{ kind: 'executed', term: 1, entries }, wrong({ a: 'things' })])
  t.match(viewOf(wrote.state, 1), { leads: true, drains: true, diverged: true, reads: false })
  const late = run(wrote.state, [{ kind: 'tick' }], 900)
  t.match(viewOf(late.state, 900), { leads: true, drains: true }, 'nothing is given up')
  const end = endOf(entries)
  const { state } = run(late.state, [confirm('b', end), confirm('c', end)], 901)
  t.equal(state.role.kind, 'follower')
  t.equal(state.commitIndex, end.index, 'after its answers could leave')
  const gone = new Map(peers).set('a', peer({ pid: 100, role: 'replica', diverged: true }))
  const after = run(state, [{ kind: 'peers', peers: gone }, { kind: 'tick' }], 902)
  t.equal(after.state.role.kind, 'follower', 'it does not stand for election')
})

t.test('a master whose data is wrong leads on while nobody else can', async t => {
  const alone = new Map([...peers].filter(([id]) => id === 'a'))
  const { state } = run(master(), [{ kind: 'peers', peers: alone }, wrong({ a: 'things' })])
  t.match(viewOf(state, 1), { leads: true, drains: false, diverged: true })
  const back = run(state, [{ kind: 'peers', peers }])
  t.match(viewOf(back.state, 1), { drains: true }, 'and no longer')
})

t.test('a worker that is called wrong is out of service, each verdict once', async t => {
  const { state } = run(replica(), [wrong({ a: 'things', b: 'others' })])
  t.match(viewOf(state, 1), { diverged: true, reads: false, trouble: /things/ })
  t.notOk(viewOf(run(replica(), [wrong({ b: 'others' })]).state, 1).diverged)
  const chosen = { term: 5, master: null, inSync: ['a'] }
  const recovered = run(state, [stateRead(chosen, { version: 9, beganMs: 1 })])
  t.notOk(viewOf(recovered.state, 1).diverged, 'an operator has chosen it')
  const again = run(recovered.state, [wrong({ a: 'things' })])
  t.notOk(viewOf(again.state, 1).diverged)
})

t.test('a candidate that is called wrong stands no more', async t => {
  const role = { kind: 'candidate', term: 2, sinceMs: 0, published: true } as const
  const standing = worker({ term: 1, last: endOf(log), role, peers })
  t.equal(run(standing, [wrong({ a: 'things' })]).state.role.kind, 'waiting')
})
