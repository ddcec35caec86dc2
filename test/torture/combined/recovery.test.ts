import t from 'tap'
import type { Planned } from './plan.ts'
import { linesOf, type Round, tableOf } from './recovery.ts'

const planned = (kind: Planned['kind'], of: Planned['of']): Planned => ({
  ...{ kind, of },
  afterMs: 0,
  lastsMs: 1_000
})

const round = (wholeAfterMs: number | null, ...faults: readonly Planned[]): Round => ({
  faults: faults.map(planned => ({ planned, notDone: null })),
  atMs: 0,
  healedAtMs: 1_000,
  servedAfterMs: 100,
  wholeAfterMs,
  writeGapMs: 500,
  readGapMs: 300
})

t.test('each fault has the median and the worst of its rounds', async t => {
  const pause = planned('pause', 'master')
  const rounds = [
    round(1_000, pause, planned('keys', 'load')),
    round(3_000, pause),
    round(2_000, pause)
  ]
  t.strictSame(tableOf(linesOf(rounds)).split('\n').slice(2), [
    '| keys | 1 | 0.1 / 0.1 | 1.0 / 1.0 | 0.5 / 0.5 |',
    '| pause, master | 3 | 0.1 / 0.1 | 2.0 / 3.0 | 0.5 / 0.5 |'
  ])
})

t.test('what never recovers is said, and what was not done does not count', async t => {
  const notDone = { planned: planned('lose', 'replica'), notDone: 'no replica' }
  const never = round(null, planned('kill', 'lb'))
  const [line, ...others] = linesOf([{ ...never, faults: [...never.faults, notDone] }])
  t.strictSame(others, [])
  t.match(tableOf(line === undefined ? [] : [line]), /kill, lb \| 1 .* never \/ never/)
})
