import t from 'tap'
import {
  append,
  done,
  endOf,
  entriesAfter,
  peer,
  run,
  SETTINGS,
  stateRead,
  worker
} from '../../testing/fixtures/protocol.ts'
import { ORIGIN } from '../entry.ts'
import { lead } from './lead.ts'
import { wantedMembers } from './members.ts'
import type { Event, Leader, Peer, State } from './state.ts'

const log = entriesAfter(ORIGIN, { count: 3, term: 1 })
const cluster = { term: 1, master: 'm', inSync: ['m', 'a', 'b'] }
const master = ['m', peer({ pid: 50, role: 'master' })] as const
const all = new Map<string, Peer>([master, ['a', peer({ pid: 100 })], ['b', peer({ pid: 200 })]])
/** What the first one sees that has a session again. */
const onlyOwn = new Map<string, Peer>([['a', peer({ pid: 100 })]])
const heartbeat = append({ term: 1, from: 'm', prev: endOf(log), barrier: 1 })
const LOST: Event = { kind: 'contact', up: false }
const BACK: Event = { kind: 'contact', up: true }
const { sessionGraceMs, replicaTimeoutMs } = SETTINGS

function replica(): State {
  const begun = worker({ term: 1, last: endOf(log) })
  const read = stateRead(cluster, { version: 3, beganMs: 0 })
  return run(begun, [{ kind: 'peers', peers: all }, read], 0).state
}

/** Every session has ended; this one is back first, at 5,000 ms. */
function firstBack(...before: Event[]): State {
  const lost = run(replica(), [LOST, { kind: 'sessionLost' }, ...before], 4_900).state
  const read = stateRead(cluster, { version: 3, beganMs: 5_000 })
  return run(lost, [BACK, read, { kind: 'peers', peers: onlyOwn }], 5_001).state
}

const candidates = (...of: [string, number][]): Event => ({
  kind: 'peers',
  peers: new Map(
    of.map(([id, index]) => [id, peer({ role: 'candidate', term: 2, last: { index, term: 1 } })])
  )
})

t.test('a master that is heard keeps its place while its session comes back', async t => {
  let state = firstBack(heartbeat)
  t.equal(state.role.kind, 'follower')
  for (let nowMs = 5_100; nowMs < 5_000 + sessionGraceMs; nowMs += 500) {
    ;({ state } = run(state, [heartbeat, { kind: 'tick' }], nowMs))
    t.equal(state.role.kind, 'follower', `${nowMs}`)
  }
  const late = run(state, [heartbeat, { kind: 'tick' }], 5_002 + sessionGraceMs)
  t.equal(late.state.role.kind, 'candidate', 'but not for ever')
})

t.test('a master that is no longer heard has no grace', async t => {
  t.equal(firstBack().role.kind, 'candidate', 'nor one that was never heard')
  const silent = run(firstBack(heartbeat), [{ kind: 'tick' }], 4_900 + replicaTimeoutMs)
  t.equal(silent.state.role.kind, 'candidate')
})

t.test('no grace while contact with ZooKeeper never ended: a death is a death', async t => {
  const gone = new Map([...all].filter(([id]) => id !== 'm'))
  const { state } = run(replica(), [heartbeat, { kind: 'peers', peers: gone }], 5_000)
  t.equal(state.role.kind, 'candidate')
})

t.test('no grace for a master whose znode says that it leads no more', async t => {
  const other = new Map(onlyOwn).set('m', peer({ pid: 51, role: 'starting', term: 1 }))
  const { state } = run(firstBack(heartbeat), [{ kind: 'peers', peers: other }], 5_002)
  t.equal(state.role.kind, 'candidate')
})

t.test('candidates wait for each other, so that the longest log wins', async t => {
  const standing = run(firstBack(), [{ kind: 'published', term: 2 }, candidates(['a', 3])], 5_003)
  t.strictSame(done(standing.effects, 'cas'), [], 'nobody else is back yet')
  const longer = candidates(['a', 3], ['b', 4], ['m', 5])
  const outdone = run(standing.state, [longer], 5_200)
  t.strictSame(done(outdone.effects, 'cas'), [], 'the master has the longest log')
  const whole = run(standing.state, [candidates(['a', 3], ['b', 3], ['m', 2])], 5_200)
  t.equal(done(whole.effects, 'cas').length, 1, 'all are there')
  const late = run(standing.state, [{ kind: 'tick' }], 5_002 + replicaTimeoutMs)
  t.equal(done(late.effects, 'cas').length, 1, 'and not for ever')
})

t.test('a candidate goes back when the master is there again', async t => {
  const standing = firstBack()
  const { state } = run(standing, [{ kind: 'peers', peers: all }], 5_100)
  t.match(state.role, { kind: 'follower', term: 1, master: 'm' })
  const asked = run(
    standing,
    [
      { kind: 'published', term: 2 },
      { kind: 'peers', peers: onlyOwn },
      candidates(['a', 3], ['b', 3], ['m', 3])
    ],
    5_100
  )
  t.equal(done(asked.effects, 'cas').length, 1)
  const late = run(asked.state, [{ kind: 'peers', peers: all }], 5_101)
  t.equal(late.state.role.kind, 'candidate', 'not once it has asked to be elected')
})

t.test('a master takes nobody for lost because no znode is back yet', async t => {
  const members = ['a', 'b', 'c']
  const led = lead(replica(), { term: 2, members }).state
  const role: Leader = { ...(led.role as Leader), first: 4 }
  const alone: State = { ...led, peers: onlyOwn, contactMs: 5_000, role }
  t.strictSame(wantedMembers(alone, role, 5_100), members)
  t.strictSame(wantedMembers({ ...alone, contactMs: Number.POSITIVE_INFINITY }, role, 9e9), members)
  t.strictSame(wantedMembers(alone, role, 5_001 + sessionGraceMs), ['a', 'b'], 'only for so long')
  const due = { index: 4, barrier: 1, atMs: 5_050 }
  const owing = { index: 3, barrier: 0, joining: false, due }
  const silent: Leader = { ...role, progress: new Map([['b', owing]]) }
  t.strictSame(wantedMembers({ ...alone, role: silent }, silent, 5_100), ['a', 'c'])
})
