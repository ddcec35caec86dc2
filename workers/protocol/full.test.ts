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
import type { Event, State } from './state.ts'
import { viewOf } from './view.ts'

const log = entriesAfter(ORIGIN, { count: 6, term: 1 })
const last = endOf(log.slice(0, 3))
const NAMED = { term: 1, master: 'b', inSync: ['b', 'a'] }
const full: Event = { kind: 'refused', why: 'full', last }
const room: Event = { kind: 'postgres', answers: true }

/** A replica of b that was applying what follows its third entry. */
function applying(): State {
  const news = append({ term: 1, from: 'b', prev: last, entries: log.slice(3) })
  const { state, effects } = run(worker({ term: 1, last }), [
    stateRead(NAMED, { version: 1, beganMs: 0 }),
    news
  ])
  t.equal(done(effects, 'apply').length, 1)
  return state
}

const heartbeat = append({ term: 1, from: 'b', prev: endOf(log), barrier: 7 })

t.test('a replica whose disk is full says so, and asks for nothing', async t => {
  const { state, effects } = run(applying(), [full, heartbeat], 200)
  t.equal(viewOf(state, 1).trouble, 'its disk is full')
  t.strictSame([...done(effects, 'apply'), ...done(effects, 'startOver')], [])
  const said = done(effects, 'send').map(effect => effect.do === 'send' && effect.message)
  t.match(said, [{ kind: 'confirm', index: 3, barrier: 7 }], 'it lives, and does not have them')
})

t.test('it goes on where it was when there is room again', async t => {
  const { state, effects } = run(applying(), [full, room, heartbeat], 200)
  t.equal(viewOf(state, 1).trouble, null)
  t.match(done(effects, 'send'), [{ message: { kind: 'fetch', after: 3 } }])
})

t.test('a master whose disk is full makes room, and stands again when it has some', async t => {
  const candidate = worker({ role: { kind: 'candidate', term: 1, sinceMs: 0, published: true } })
  const won = stateRead({ term: 1, master: 'a', inSync: ['a', 'b'] }, { version: 1, beganMs: 0 })
  const begun: Event = { kind: 'termBegun', term: 1, entry: { ...log[0], term: 1 } as never }
  const leading = run(candidate, [won, begun, { kind: 'executing' }]).state
  const made = run(leading, [{ ...full, last: endOf(log.slice(0, 1)) } as Event]).state
  t.equal(made.role.kind, 'follower')
  const alone: Event = { kind: 'peers', peers: new Map([['a', peer({ pid: 100 })]]) }
  const still = run(made, [alone], 300).state
  t.equal(still.role.kind, 'follower', 'whoever could not execute a single write does not stand')
  t.equal(run(still, [room], 400).state.role.kind, 'candidate')
})
