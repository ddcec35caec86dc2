import t from 'tap'
import {
  append,
  done,
  endOf,
  entriesAfter,
  peer,
  run,
  stateRead,
  worker
} from '../../testing/fixtures/protocol.ts'
import { ORIGIN } from '../entry.ts'
import type { Peer, State } from './state.ts'
import { viewOf } from './view.ts'

const log = entriesAfter(ORIGIN, { count: 3, term: 1 })
const cluster = { term: 1, master: 'm', inSync: ['m', 'a', 'b'] }
const replicas: [string, Peer][] = [
  ['a', peer({ pid: 100 })],
  ['b', peer({ pid: 200 })]
]
const masterAlive = new Map([...replicas, ['m', peer({ pid: 50, role: 'master' })] as const])
const masterGone = new Map(replicas)

function replica(): State {
  const begun = worker({ term: 1, last: endOf(log) })
  const events = [
    { kind: 'peers', peers: masterAlive },
    stateRead(cluster, { version: 3, beganMs: 0 })
  ] as const
  return run(begun, events, 0).state
}

const candidates = (...of: [string, Partial<Peer>][]) =>
  new Map(of.map(([id, changes]) => [id, peer({ role: 'candidate', term: 2, ...changes })]))

t.test('a named replica stands when the znode of the master is gone', async t => {
  t.equal(replica().role.kind, 'follower')
  const { state } = run(replica(), [{ kind: 'peers', peers: masterGone }])
  t.match(state.role, { kind: 'candidate', term: 2 })
})

t.test('a master that came back as something else is gone as well', async t => {
  const restarted = new Map(masterAlive).set('m', peer({ pid: 51, role: 'starting', term: 1 }))
  t.equal(run(replica(), [{ kind: 'peers', peers: restarted }]).state.role.kind, 'candidate')
})

t.test('a winner whose znode still says candidate of the term it won is not gone', async t => {
  const winner = new Map(masterAlive).set('m', peer({ pid: 50, role: 'candidate', term: 1 }))
  t.equal(run(replica(), [{ kind: 'peers', peers: winner }]).state.role.kind, 'follower')
})

t.test('znodes seen before the election are not held against its winner', async t => {
  const won = stateRead({ term: 2, master: 'b', inSync: ['a', 'b'] }, { version: 4, beganMs: 200 })
  const { state } = run(replica(), [won], 201)
  t.match(state.role, { kind: 'follower', term: 2, master: 'b' })
  t.equal(run(state, [{ kind: 'tick' }], 301).state.role.kind, 'candidate', 'but not for ever')
})

t.test('who has heard a newer master does not stand by an older /state', async t => {
  const newer = append({ term: 2, from: 'b', prev: endOf(log) })
  const { state } = run(replica(), [newer, { kind: 'peers', peers: masterGone }])
  t.match(state.role, { kind: 'follower', term: 2, master: 'b' })
})

t.test('a worker that /state does not name never stands', async t => {
  const without = { ...cluster, inSync: ['m', 'b'] }
  const { state } = run(replica(), [
    stateRead(without, { version: 4, beganMs: 1 }),
    { kind: 'peers', peers: masterGone }
  ])
  t.equal(state.role.kind, 'follower')
})

t.test('who stands confirms the old term no more', async t => {
  const { state, effects } = run(replica(), [
    { kind: 'peers', peers: masterGone },
    append({ term: 1, from: 'm', prev: endOf(log), barrier: 9 })
  ])
  t.equal(state.role.kind, 'candidate')
  t.strictSame(done(effects, 'send'), [])
})

t.test('the longest log goes first, with all who stand as the new in-sync set', async t => {
  const last = { index: 3, term: 1 }
  const both = candidates(
    ['a', { pid: 100, last }],
    ['b', { pid: 90, last: { index: 2, term: 1 } }]
  )
  const { effects } = run(replica(), [
    { kind: 'peers', peers: masterGone },
    { kind: 'published', term: 2 },
    { kind: 'peers', peers: both }
  ])
  const to = { clusterId: 'test', term: 2, master: 'a', inSync: ['a', 'b'] }
  t.strictSame(done(effects, 'cas'), [{ do: 'cas', version: 3, to }])
})

t.test('the second best waits a step, and then acts', async t => {
  const last = { index: 4, term: 1 }
  const both = candidates(['a', { last: { index: 3, term: 1 } }], ['b', { last }])
  const standing = run(replica(), [
    { kind: 'peers', peers: masterGone },
    { kind: 'published', term: 2 },
    { kind: 'peers', peers: both }
  ])
  t.strictSame(done(standing.effects, 'cas'), [])
  const later = run(standing.state, [{ kind: 'tick' }], 102)
  t.equal(done(later.effects, 'cas').length, 1)
})

t.test('one who stands alone fills the set up to minCopies with others of the old one', async t => {
  const alone = candidates(['a', { last: { index: 3, term: 1 } }])
  const { effects } = run(replica(), [
    { kind: 'peers', peers: masterGone },
    { kind: 'published', term: 2 },
    { kind: 'peers', peers: alone }
  ])
  t.match(done(effects, 'cas'), [{ to: { term: 2, master: 'a', inSync: ['a', 'm'] } }])
})

t.test('in a cluster that nobody has led, a worker without data makes itself master', async t => {
  const unled = { term: 0, master: null, inSync: [] }
  const { effects } = run(worker({ peers: new Map() }), [
    stateRead(unled, { version: 0, beganMs: 0 }),
    { kind: 'published', term: 1 }
  ])
  t.match(done(effects, 'cas'), [{ version: 0, to: { term: 1, master: 'a', inSync: ['a'] } }])
})

t.test('the winner begins its term with an entry; the loser follows', async t => {
  const standing = run(replica(), [
    { kind: 'peers', peers: masterGone },
    { kind: 'published', term: 2 }
  ]).state
  const won = { term: 2, master: 'a', inSync: ['a', 'b'] }
  const winner = run(standing, [stateRead(won, { version: 4, beganMs: 1 })])
  t.strictSame(done(winner.effects, 'beginTerm'), [{ do: 'beginTerm', term: 2 }])
  const lost = run(standing, [stateRead({ ...won, master: 'b' }, { version: 4, beganMs: 1 })])
  t.match(lost.state.role, { kind: 'follower', term: 2, master: 'b' })
})

t.test('a ZooKeeper that lost its memory is obeyed by nobody', async t => {
  const stale = stateRead({ term: 0, master: null, inSync: [] }, { version: 0, beganMs: 9 })
  const { state } = run(replica(), [stale, stale, stale])
  t.equal(state.role.kind, 'fenced')
  t.equal(viewOf(state, 9).reads, false)
})

t.test('a version of /state below the stored one, in its term, is a lost memory too', async t => {
  const begun = worker({ term: 1, stateVersion: 7, last: endOf(log) })
  const older = stateRead(cluster, { version: 6, beganMs: 9 })
  t.equal(run(begun, [older, older, older]).state.role.kind, 'fenced')
})

t.test('reads are taken while a fresh read of /state names the worker, and no longer', async t => {
  t.equal(viewOf(replica(), 1_000).reads, true)
  t.equal(viewOf(replica(), 1_200).reads, false)
})
