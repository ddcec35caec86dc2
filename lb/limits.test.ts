/** What lb refuses by itself, with no instance behind it, and what it tells browsers. */
import { Registry } from 'prom-client'
import t, { type Test } from 'tap'
import { openLog } from '../platform/log.ts'
import { openLb } from './server.ts'

async function lb(t: Test, ratePerS: number) {
  const app = await openLb({
    config: {
      CONVOY_LB_ATTEMPT_MS: 100,
      CONVOY_LB_DEADLINE_MS: 100,
      CONVOY_LB_UNDER_WAY_MAX: 10,
      CONVOY_LB_RATE_PER_S: ratePerS
    },
    zooKeeper: { watchChildren: () => ({ [Symbol.dispose]() {} }) },
    log: openLog({ service: 'test', level: 'silent' }),
    metrics: new Registry()
  })
  t.teardown(() => app.close())
  const ask = (remoteAddress: string) => app.inject({ url: '/api/v1/users', remoteAddress })
  return { app, ask }
}

t.test('who sends more than it may is told when to come back; others are served', async t => {
  const { app, ask } = await lb(t, 1)
  const statuses = [await ask('10.0.0.1'), await ask('10.0.0.1')].map(one => one.statusCode)
  t.strictSame(statuses, [503, 503], 'let through, to no instance')
  const refused = await Promise.all([ask('10.0.0.1'), ask('10.0.0.1')])
  t.match(refused[1], {
    statusCode: 429,
    headers: { 'retry-after': '1' },
    body: /"CONVOY_RATE_LIMITED"/
  })
  t.equal((await ask('10.0.0.2')).statusCode, 503)
  t.equal((await app.inject('/readyz')).statusCode, 503, 'health is never limited')
})

t.test('no limit is set unless an operator does', async t => {
  const { ask } = await lb(t, 0)
  const answers = await Promise.all(Array.from({ length: 9 }, () => ask('10.0.0.1')))
  t.strictSame(new Set(answers.map(one => one.statusCode)), new Set([503]))
})

t.test('slow heads, slow bodies and large bodies are bounded', async t => {
  const { app } = await lb(t, 0)
  const { headersTimeout, requestTimeout } = app.server
  t.strictSame([headersTimeout, requestTimeout], [15_000, 30_000])
  const large = await app.inject({
    ...{ method: 'PUT', url: '/api/v1/users', payload: 'x'.repeat(1024 * 1024 + 1) },
    headers: { 'content-type': 'application/json' }
  })
  t.equal(large.statusCode, 413)
})

t.test('browsers are told to run nothing else, frame nothing, and guess no types', async t => {
  const { app } = await lb(t, 0)
  for (const url of ['/', '/docs/']) {
    const { statusCode, headers } = await app.inject(url)
    t.equal(statusCode, 200, url)
    t.match(headers['content-security-policy'], "default-src 'none'", url)
    t.match(headers['content-security-policy'], "frame-ancestors 'none'", url)
    t.equal(headers['x-content-type-options'], 'nosniff', url)
  }
  t.match((await app.inject('/')).headers, { 'referrer-policy': 'no-referrer' })
  t.match((await app.inject('/livez')).headers, { 'x-content-type-options': 'nosniff' })
  t.match((await app.inject('/nowhere')).headers, { 'x-content-type-options': 'nosniff' })
})
