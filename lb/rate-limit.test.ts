import t from 'tap'
import { RateLimit } from './rate-limit.ts'

const passed = (
  limit: RateLimit,
  { times, nowMs, from = '10.0.0.1' }: { times: number; nowMs: number; from?: string }
) =>
  Array.from({ length: times }, () => limit.take(from, nowMs)).filter(waitMs => waitMs === 0).length

t.test('two seconds of requests may come at once, and then so many a second', async t => {
  const limit = new RateLimit({ perS: 10 })
  t.equal(passed(limit, { times: 100, nowMs: 0 }), 20)
  t.equal(passed(limit, { times: 100, nowMs: 500 }), 5)
  t.equal(passed(limit, { times: 100, nowMs: 60_000 }), 20)
})

t.test('who is refused is told when the next one may pass, and it may', async t => {
  const limit = new RateLimit({ perS: 4 })
  passed(limit, { times: 8, nowMs: 0 })
  t.equal(limit.take('10.0.0.1', 0), 250)
  t.equal(limit.take('10.0.0.1', 250), 0)
})

t.test('one client does not use up what another may', async t => {
  const limit = new RateLimit({ perS: 1 })
  t.equal(passed(limit, { times: 9, nowMs: 0 }), 2)
  t.equal(passed(limit, { times: 9, nowMs: 0, from: '10.0.0.2' }), 2)
})

t.test('all addresses of an IPv6 network are one client, IPv4 in IPv6 is each its own', async t => {
  const limit = new RateLimit({ perS: 1 })
  t.equal(passed(limit, { times: 2, nowMs: 0, from: '2001:db8:1:2::1' }), 2)
  t.equal(passed(limit, { times: 2, nowMs: 0, from: '2001:db8:1:2:3::9' }), 0)
  t.equal(passed(limit, { times: 2, nowMs: 0, from: '2001:db8:1:3::1' }), 2)
  t.equal(passed(limit, { times: 2, nowMs: 0, from: 'fd00::1' }), 2, 'zeros left out')
  t.equal(passed(limit, { times: 2, nowMs: 0, from: 'fd00::2' }), 0)
  t.equal(passed(limit, { times: 2, nowMs: 0, from: 'fd00:0:0:0:9::' }), 0)
  t.equal(passed(limit, { times: 2, nowMs: 0, from: 'fd00:0:0:1::1' }), 2)
  t.equal(passed(limit, { times: 2, nowMs: 0, from: '::ffff:10.0.0.1' }), 2)
  t.equal(passed(limit, { times: 2, nowMs: 0, from: '::ffff:10.0.0.2' }), 2)
})

t.test('no more addresses are remembered than fit, the latest of them', async t => {
  const limit = new RateLimit({ perS: 1 })
  passed(limit, { times: 2, nowMs: 0, from: 'first' })
  passed(limit, { times: 2, nowMs: 0, from: 'second' })
  for (let n = 0; n < 19_999; n++) limit.take(`n${n}`, 0)
  t.equal(limit.take('first', 0), 0, 'forgotten')
  t.not(limit.take('n19998', 0) + limit.take('n19998', 0), 0, 'remembered')
})
