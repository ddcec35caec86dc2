import t from 'tap'
import {
  append,
  done,
  endOf,
  entriesAfter,
  run,
  stateRead,
  worker
} from '../../testing/fixtures/protocol.ts'
import { ORIGIN, positionOf } from '../entry.ts'
import type { State } from './state.ts'

const log = entriesAfter(ORIGIN, { count: 3, term: 1 })
const named = { term: 1, master: 'm', inSync: ['m', 'a'] }

/** A replica of term 1 that holds `log` and has found it equal to the master's. */
function matched(): State {
  const begun = worker({ term: 1, last: endOf(log) })
  const events = [
    stateRead(named, { version: 1, beganMs: 0 }),
    append({ term: 1, from: 'm', prev: endOf(log) })
  ]
  return run(begun, events).state
}

t.test('a replica stores a higher term before it takes anything of it', async t => {
  const fresh = entriesAfter(endOf(log), { count: 1, term: 2 })
  const heard = run(matched(), [append({ term: 2, from: 'n', prev: endOf(log), entries: fresh })])
  t.strictSame(done(heard.effects, 'remember'), [{ do: 'remember', term: 2 }])
  t.strictSame(done(heard.effects, 'apply'), [])

  const stored = run(heard.state, [{ kind: 'remembered', term: 2, stateVersion: 0 }])
  t.strictSame(done(stored.effects, 'apply'), [{ do: 'apply', term: 2, entries: fresh }])
})

t.test('a replica refuses a lower term than it has stored, and says so', async t => {
  const state = worker({ term: 5, last: endOf(log) })
  const { effects } = run(state, [append({ term: 4, from: 'm' })])
  const message = { kind: 'refuse', term: 5, from: 'a' } as const
  t.strictSame(done(effects, 'send'), [{ do: 'send', to: 'ack.m', message }])
})

t.test('a replica whose log differs from the master says that it is diverged', async t => {
  const other = entriesAfter(ORIGIN, { count: 3, term: 1, tag: 'other' })
  const begun = worker({ term: 1, last: endOf(other) })
  const { state, effects } = run(begun, [
    stateRead(named, { version: 1, beganMs: 0 }),
    append({ term: 1, from: 'm', prev: endOf(log) })
  ])
  t.equal(state.diverged?.kind, 'log')
  t.strictSame(done(effects, 'send'), [], 'and confirms nothing')
})

t.test('until its log has matched, a replica takes not even the commit index', async t => {
  const behind = worker({ term: 1, last: endOf(log.slice(0, 1)) })
  const { state, effects } = run(behind, [
    stateRead(named, { version: 1, beganMs: 0 }),
    append({ term: 1, from: 'm', prev: endOf(log), commitIndex: 3 })
  ])
  t.equal(state.commitIndex, 0)
  const message = { kind: 'fetch', term: 1, from: 'a', queue: 'sync.a', after: 1 } as const
  t.strictSame(done(effects, 'send'), [{ do: 'send', to: 'ack.m', message }])
})

t.test('a gap is fetched, and what overlaps is taken once', async t => {
  const more = entriesAfter(endOf(log), { count: 4, term: 1 })
  const [first, second, third, fourth] = more.map(positionOf)
  const begun = matched()
  const gap = run(begun, [
    append({ term: 1, from: 'm', ...(second && { prev: second }), entries: more.slice(2) })
  ])
  t.equal(done(gap.effects, 'apply').length, 0)
  t.match(done(gap.effects, 'send'), [{ message: { kind: 'fetch', after: 3 } }])

  const filled = run(gap.state, [
    append({ term: 1, from: 'm', prev: endOf(log), entries: more.slice(0, 3) }),
    append({ term: 1, from: 'm', ...(first && { prev: first }), entries: more.slice(1) }),
    { kind: 'applied', term: 1, last: third ?? ORIGIN }
  ])
  const applied = done(filled.effects, 'apply').flatMap(effect =>
    effect.do === 'apply' ? effect.entries.map(entry => entry.index) : []
  )
  t.strictSame(applied, [4, 5, 6, 7])
  t.ok(fourth)
})

t.test('an entry damaged on the way is not taken', async t => {
  const [entry] = entriesAfter(endOf(log), { count: 1, term: 1 })
  const damaged = entry === undefined ? [] : [{ ...entry, changes: '[{}]' }]
  const { effects } = run(matched(), [
    append({ term: 1, from: 'm', prev: endOf(log), entries: damaged })
  ])
  t.strictSame(done(effects, 'apply'), [])
})

t.test('a higher barrier is confirmed at once, with the end of the log', async t => {
  const { effects } = run(matched(), [append({ term: 1, from: 'm', prev: endOf(log), barrier: 7 })])
  t.match(done(effects, 'send'), [
    { to: 'ack.m', message: { kind: 'confirm', term: 1, index: 3, barrier: 7, joining: false } }
  ])
})

t.test('a diverged worker keeps its data while /state names it', async t => {
  const other = entriesAfter(ORIGIN, { count: 3, term: 1, tag: 'other' })
  const begun = worker({ term: 1, last: endOf(other) })
  const diverged = run(begun, [
    stateRead(named, { version: 1, beganMs: 0 }),
    append({ term: 1, from: 'm', prev: endOf(log) })
  ])
  const kept = run(diverged.state, [stateRead(named, { version: 2, beganMs: 9_000 })], 10_000)
  t.strictSame(done(kept.effects, 'startOver'), [])

  const without = { ...named, inSync: ['m'] }
  const freed = run(kept.state, [stateRead(without, { version: 3, beganMs: 9_500 })], 10_000)
  t.strictSame(done(freed.effects, 'startOver'), [{ do: 'startOver', why: 'log' }])
})
