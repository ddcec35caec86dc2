import t from 'tap'
import { Drain } from './drain.ts'

t.test('little is supposed before something was answered', async t => {
  const drain = new Drain()
  t.equal(drain.bytesWithin(1_000), 4_000_000)
  drain.answered(8_000_000, { sentAtMs: 0, nowMs: 500 })
  const measured = drain.bytesWithin(1_000)
  t.ok(measured > 12_000_000 && measured < 16_000_000, `${measured} after one answer`)
})

t.test('it is measured while something is on its way, and newer answers count more', async t => {
  const drain = new Drain()
  const bytes = 1_000_000
  for (let i = 0; i < 300; i++) {
    drain.answered(bytes, { sentAtMs: i * 100 - 250, nowMs: i * 100 + 100 })
  }
  const perS = drain.bytesWithin(1_000) / bytes
  t.ok(Math.abs(perS - 10) < 0.5, `${perS} in a second`)
  // An hour later: nothing was asked for meanwhile.
  drain.answered(bytes, { sentAtMs: 3_600_000, nowMs: 3_600_100 })
  t.ok(drain.bytesWithin(1_000) > 9 * bytes, 'idle time does not count')
  for (let i = 0; i < 20; i++) {
    const nowMs = 3_602_000 + i * 1_000
    drain.answered(bytes, { sentAtMs: nowMs - 1_000, nowMs })
  }
  t.ok(Math.abs(drain.bytesWithin(1_000) / bytes - 1) < 0.2, 'a tenth as fast since')
  t.ok(Math.abs(drain.msFor(bytes) - 1_000) < 200)
})
