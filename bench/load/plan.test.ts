import t from 'tap'
import { quantile } from './figures.ts'
import { rideTraffic, signUps, timestampOf } from './plan.ts'

const options = { users: 50, rides: 500, seed: 7, nowMs: Date.parse('2026-11-22T03:04:05Z') }

t.test('the same seed plans the same, another one something else', async t => {
  const planned = (seed: number) => JSON.stringify([...rideTraffic({ ...options, seed })])
  t.equal(planned(7), planned(7))
  t.not(planned(7), planned(8))
})

t.test('everybody signs up once, with a password as clients send it', async t => {
  const planned = [...signUps(options)].filter(action => action.kind === 'sign up')
  t.equal(new Set(planned.map(action => action.username)).size, 50)
  t.ok(planned.every(action => /^[0-9a-f]{40}$/.test(action.password)))
})

t.test('rides lead from one area to another, and are joined after they were offered', async t => {
  let offered = 0
  const wrong: unknown[] = []
  for (const action of rideTraffic(options)) {
    if (action.kind === 'offer') {
      if (action.ride !== offered++ || action.source === action.destination) wrong.push(action)
    }
    if (action.kind === 'join' || action.kind === 'look') {
      if (action.ride >= offered) wrong.push(action)
    }
  }
  t.strictSame(wrong, [])
  t.equal(offered, 500)
})

t.test('timestamps have seconds before minutes and minutes before hours', async t => {
  t.equal(timestampOf(options.nowMs), '22-11-2026:05-04-03')
})

t.test('a quantile is a value that was measured', async t => {
  const sorted = Float64Array.from([1, 2, 3, 4])
  t.strictSame(
    [0, 0.5, 0.95, 1].map(q => quantile(sorted, q)),
    [1, 2, 4, 4]
  )
})
