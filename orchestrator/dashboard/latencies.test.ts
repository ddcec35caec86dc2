import { Histogram, Registry } from 'prom-client'
import t from 'tap'
import { type Answered, answeredOf, NONE_ANSWERED, quantileMs } from './latencies.ts'

const ROUTE = '/api/v1/db/read'

function histogram() {
  const seconds = new Histogram({
    name: 'convoy_http_request_seconds',
    help: 'x',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.001, 0.01, 0.1],
    registers: [new Registry()]
  })
  const now = async () => answeredOf((await seconds.get()).values, ROUTE)
  const observe = (value: number, status = '200', route = ROUTE) =>
    seconds.observe({ method: 'POST', route, status }, value)
  return { now, observe }
}

t.test('answers are counted over all statuses of one route', async t => {
  const { now, observe } = histogram()
  observe(0.005)
  observe(0.005, '400')
  observe(0.005, '504')
  observe(0.005, '200', '/livez')
  const { count, failed } = await now()
  t.strictSame([count, failed], [3, 1])
})

t.test('a quantile is that of the answers in between, within one bucket', async t => {
  const { now, observe } = histogram()
  for (let n = 0; n < 100; n++) observe(0.05)
  const before = await now()
  for (let n = 0; n < 98; n++) observe(0.005)
  for (let n = 0; n < 2; n++) observe(0.05)
  const after = await now()
  t.equal(quantileMs(before, after, 0.5), 5.59)
  t.equal(quantileMs(before, after, 0.99), 55)
})

t.test('without answers there is no quantile', async t => {
  const { now, observe } = histogram()
  t.equal(quantileMs(NONE_ANSWERED, await now(), 0.5), null)
  observe(0.005)
  const after: Answered = await now()
  t.equal(quantileMs(after, after, 0.5), null)
})

t.test('beyond the last bucket its bound is told', async t => {
  const { now, observe } = histogram()
  observe(7)
  t.equal(quantileMs(NONE_ANSWERED, await now(), 0.99), 100)
})
