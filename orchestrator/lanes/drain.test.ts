import t from 'tap'
import { Drain } from './drain.ts'

t.test('nothing is known before something was answered', async t => {
  const drain = new Drain()
  t.equal(drain.bytesWithin(1_000), Number.POSITIVE_INFINITY)
  t.equal(drain.msFor(1_000_000), 0)
})

t.test('it is measured while something is on its way, and newer answers count more', async t => {
  const drain = new Drain()
  for (let i = 0; i < 50; i++) {
    drain.answered(100, { sentAtMs: i * 100 - 250, nowMs: i * 100 + 100 })
  }
  t.ok(Math.abs(drain.bytesWithin(1_000) - 1_000) < 50, `${drain.bytesWithin(1_000)} in a second`)
  // An hour later: nothing was asked for meanwhile.
  drain.answered(100, { sentAtMs: 3_600_000, nowMs: 3_600_100 })
  t.ok(drain.bytesWithin(1_000) > 900, 'idle time does not count')
  for (let i = 0; i < 20; i++) {
    const nowMs = 3_601_000 + i * 1_000
    drain.answered(100, { sentAtMs: nowMs - 1_000, nowMs })
  }
  t.ok(Math.abs(drain.bytesWithin(1_000) - 100) < 10, 'ten times as slow since')
  t.ok(Math.abs(drain.msFor(100) - 1_000) < 100)
})
