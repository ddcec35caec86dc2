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
import type { Event, State } from './state.ts'
import { viewOf } from './view.ts'

const log = entriesAfter(ORIGIN, { count: 5, term: 3 })
const NAMED = { term: 3, master: 'b', inSync: ['b', 'a'] }
const missing = (beganMs: number): Event => ({ kind: 'stateRead', node: null, beganMs })

/** Follows b in term 3, and has stored that term; `/state` was at version 7. */
const following = (): State =>
  run(worker({ term: 3, stateVersion: 4, last: endOf(log) }), [
    stateRead(NAMED, { version: 7, beganMs: 1 })
  ]).state

const fenced = (): State => run(following(), [2, 3, 4].map(missing), 5).state

t.test('one read that misses /state fences nobody, three in a row do', async t => {
  t.equal(run(following(), [missing(2), missing(3)]).state.role.kind, 'follower')
  const { state } = run(following(), [2, 3, 4].map(missing))
  t.equal(viewOf(state, 5).role, 'fenced')
  t.match(viewOf(state, 5).trouble, /npm run recover/)
})

t.test('a fenced worker stays fenced, whatever becomes of its last transaction', async t => {
  for (const why of ['cancelled', 'term'] as const) {
    const { state } = run(fenced(), [{ kind: 'refused', why, last: endOf(log) }])
    t.equal(state.role.kind, 'fenced', why)
  }
})

t.test('a log is not said to differ from that of a master whom nobody knows any more', async t => {
  const forgets = [2, 3, 4].map(missing)
  const doubt = (kind: 'log' | 'rows'): State => {
    return { ...following(), diverged: { kind, sinceMs: 1, trouble: 'differs' } }
  }
  t.equal(viewOf(run(doubt('log'), forgets, 5).state, 5).diverged, false, 'its end counts')
  t.equal(viewOf(run(doubt('rows'), forgets, 5).state, 5).diverged, true)
})

t.test('a fenced worker goes on when an operator has written a higher term', async t => {
  const chosen = stateRead(
    { term: 8, master: null, inSync: ['a', 'b'] },
    { version: 0, beganMs: 6 }
  )
  const { state } = run(fenced(), [chosen], 6)
  t.equal(state.role.kind, 'waiting')
  t.equal(viewOf(state, 6).trouble, null)
  const alone = { kind: 'peers', peers: new Map([['a', peer({ pid: 100 })]]) } as const
  const standing = run(state, [alone], 7).state
  t.match(standing.role, { kind: 'candidate', term: 9 }, 'and stands if it is named')
})

t.test('a fenced worker goes on when the memory it knew comes back, and not below it', async t => {
  const older = stateRead(NAMED, { version: 6, beganMs: 6 })
  t.equal(run(fenced(), [older], 6).state.role.kind, 'fenced')
  const same = stateRead(NAMED, { version: 7, beganMs: 6 })
  t.equal(run(fenced(), [same], 6).state.role.kind, 'follower')
})

t.test('no other cluster and no lower term is believed', async t => {
  const lower = stateRead({ ...NAMED, term: 2 }, { version: 90, beganMs: 6 })
  t.equal(run(fenced(), [lower], 6).state.role.kind, 'fenced')
  const other: Event = {
    kind: 'stateRead',
    node: { state: { clusterId: 'other', ...NAMED, term: 90 }, version: 1 },
    beganMs: 6
  }
  t.equal(run(fenced(), [other], 6).state.role.kind, 'fenced')
})

t.test(
  'a worker that never noticed the loss takes the new history, whatever its version',
  async t => {
    const chosen = stateRead({ term: 8, master: null, inSync: ['b'] }, { version: 0, beganMs: 6 })
    const { state } = run(following(), [chosen], 6)
    t.equal(state.known?.state.term, 8)
    const lagging = stateRead(NAMED, { version: 9, beganMs: 7 })
    t.equal(run(state, [lagging], 7).state.known?.state.term, 8)
  }
)

t.test('what an operator chose is sound by definition, whatever was found before', async t => {
  const doubtful = run(following(), [{ kind: 'differs', tables: ['users'] }], 2).state
  t.equal(doubtful.diverged?.kind, 'rows')
  const chosen = stateRead({ term: 4, master: null, inSync: ['a'] }, { version: 8, beganMs: 3 })
  const { state, effects } = run(doubtful, [chosen], 3)
  t.equal(state.diverged, null)
  t.strictSame(done(effects, 'startOver'), [])
})
