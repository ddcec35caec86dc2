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
import { ORIGIN } from '../entry.ts'
import type { Event, State } from './state.ts'
import { viewOf } from './view.ts'

const log = entriesAfter(ORIGIN, { count: 5, term: 1 })
const WITHOUT = { term: 2, master: 'b', inSync: ['b', 'c'] }

/** Not named, with entries that master b does not have. */
function diverged(cluster: typeof WITHOUT & { keepDiverged?: boolean | number }): State {
  const begun = worker({ term: 2, last: endOf(log) })
  const differs = append({ term: 2, from: 'b', prev: { index: 5, checksum: 'other' } })
  return run(begun, [stateRead(cluster, { version: 5, beganMs: 0 }), differs], 1).state
}

const later = (cluster: typeof WITHOUT): Event => stateRead(cluster, { version: 5, beganMs: 1_500 })

t.test('a diverged worker that nobody names starts over, a while later', async t => {
  const { effects } = run(diverged(WITHOUT), [later(WITHOUT)], 1_501)
  t.strictSame(done(effects, 'startOver'), [{ do: 'startOver', why: 'log' }])
})

t.test('after a recovery it keeps what others lack, until an operator lets it go', async t => {
  const kept = { ...WITHOUT, keepDiverged: 2 }
  const { state, effects } = run(diverged(kept), [later(kept)], 1_501)
  t.strictSame(done(effects, 'startOver'), [])
  t.match(viewOf(state, 1_501).trouble, /log holds entries.*recover -- --forget/)
  const forgot = stateRead(WITHOUT, { version: 6, beganMs: 1_600 })
  t.strictSame(done(run(state, [forgot], 1_601).effects, 'startOver'), [
    { do: 'startOver', why: 'log' }
  ])
})

t.test('who has followed a master since the recovery has nothing of what it gave up', async t => {
  const kept = { ...WITHOUT, keepDiverged: 1 }
  const { effects } = run(diverged(kept), [later(kept)], 1_501)
  t.strictSame(done(effects, 'startOver'), [{ do: 'startOver', why: 'log' }])
  const older = { ...WITHOUT, keepDiverged: true }
  t.strictSame(done(run(diverged(older), [later(older)], 1_501).effects, 'startOver'), [])
})

t.test('rows in doubt are worth nothing: they are not kept, and the tables are told', async t => {
  const kept = { ...WITHOUT, keepDiverged: true }
  const begun = worker({ term: 2, last: endOf(log) })
  const differs: Event = { kind: 'differs', tables: ['rides', 'users'] }
  const { state } = run(begun, [stateRead(kept, { version: 5, beganMs: 0 }), differs], 1)
  t.match(viewOf(state, 1).trouble, /rides, users$/)
  t.strictSame(done(run(state, [later(kept)], 1_501).effects, 'startOver'), [
    { do: 'startOver', why: 'rows' }
  ])
})

t.test('an entry that does not fit says which', async t => {
  const applying = worker({ term: 2, last: endOf(log), working: 'applying' })
  const found = '0 rows, not 1'
  const refused: Event = { kind: 'refused', why: 'rows', last: endOf(log), found }
  t.match(viewOf(run(applying, [refused]).state, 1).trouble, /0 rows, not 1$/)
})
