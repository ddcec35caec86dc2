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
import type { State } from './state.ts'
import { viewOf } from './view.ts'

const log = entriesAfter(ORIGIN, { count: 5, term: 1 })
const named = { term: 1, master: 'b', inSync: ['b', 'a'] }

/** A replica in the middle of applying, when its master has gone. */
function cutOff(): State {
  const begun = worker({ term: 1, last: endOf(log.slice(0, 3)), working: 'applying' })
  const events = [
    stateRead(named, { version: 1, beganMs: 0 }),
    { kind: 'peers', peers: new Map([['a', peer({ pid: 100 })]]) }
  ] as const
  return run(run(begun, [events[0]], 1).state, [events[1]], 2).state
}

t.test('work of several transactions that is cut off has moved the end of the log', async t => {
  const standing = cutOff()
  t.equal(standing.role.kind, 'candidate')
  t.equal(viewOf(standing, 3).role, 'replica', 'which is shown only when nothing writes any more')
  const { state } = run(standing, [{ kind: 'refused', why: 'cancelled', last: endOf(log) }], 3)
  t.strictSame(state.last, endOf(log))
  t.equal(viewOf(state, 3).role, 'candidate')
})

t.test('a master whose first entry was cut off leads no more', async t => {
  const candidate = worker({ role: { kind: 'candidate', term: 1, sinceMs: 0, published: true } })
  const won = { term: 1, master: 'a', inSync: ['a'] }
  const events = [
    stateRead(won, { version: 1, beganMs: 0 }),
    { kind: 'refused', why: 'cancelled', last: ORIGIN }
  ] as const
  t.not(run(candidate, events).state.role.kind, 'leader')
})

t.test('a diverged worker that is elected is the measure, and diverged no more', async t => {
  const begun = worker({ term: 2, last: endOf(log) })
  const of = { term: 2, master: 'b', inSync: ['b', 'a'] }
  const differs = append({ term: 2, from: 'b', prev: { index: 5, checksum: 'other' } })
  const diverged = run(begun, [stateRead(of, { version: 5, beganMs: 0 }), differs], 1).state
  t.equal(diverged.diverged?.kind, 'log')
  const alone = new Map([['a', peer({ pid: 100 })]])
  const standing = run(diverged, [{ kind: 'peers', peers: alone }], 2).state
  const elected = stateRead(
    { term: 3, master: 'a', inSync: ['a', 'b'] },
    { version: 6, beganMs: 3 }
  )
  const { state, effects } = run(standing, [elected], 4)
  t.strictSame(done(effects, 'beginTerm'), [{ do: 'beginTerm', term: 3 }])
  t.equal(viewOf(state, 4).diverged, false)
})

t.test('a master whose database does not answer makes room, and does not stand', async t => {
  const candidate = worker({ role: { kind: 'candidate', term: 1, sinceMs: 0, published: true } })
  const won = stateRead({ term: 1, master: 'a', inSync: ['a', 'b'] }, { version: 1, beganMs: 0 })
  const leading = run(candidate, [won]).state
  t.equal(leading.role.kind, 'leader')
  const { state } = run(leading, [{ kind: 'postgres', answers: false }])
  t.equal(state.role.kind, 'follower')
})
