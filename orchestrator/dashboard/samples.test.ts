import t from 'tap'
import { NONE_ANSWERED } from './latencies.ts'
import { type Counts, type Levels, sampleOf } from './samples.ts'

const LEVELS: Levels = { wanted: 2, inSync: 2, lag: 3, queues: null, waiting: 0 }
const counts = (atMs: number, part: Partial<Counts> = {}): Counts => ({
  ...{ atMs, reads: new Map(), index: 10, read: NONE_ANSWERED, write: NONE_ANSWERED },
  ...part
})

t.test('throughput is that of all orchestrators', async t => {
  const before = counts(0, {
    reads: new Map([
      ['a', 100],
      ['b', 7]
    ]),
    index: 10
  })
  const after = counts(2_000, {
    reads: new Map([
      ['a', 150],
      ['b', 17]
    ]),
    index: 50
  })
  t.match(sampleOf(before, after, LEVELS), { atMs: 2_000, readsPerS: 30, writesPerS: 20 })
})

t.test('an orchestrator that comes or goes makes no rate below 0', async t => {
  const before = counts(0, { reads: new Map([['a', 100]]) })
  const after = counts(1_000, { reads: new Map([['b', 5]]), index: 0 })
  t.match(sampleOf(before, after, LEVELS), { readsPerS: 5, writesPerS: 0 })
})

t.test('the log as it was found is no throughput', async t => {
  const sample = sampleOf(counts(0, { index: 0 }), counts(1_000, { index: 9_999 }), LEVELS)
  t.equal(sample.writesPerS, 0)
})

t.test('what RabbitMQ does not tell is not known', async t => {
  t.equal(sampleOf(counts(0), counts(1_000), LEVELS).writeQueue, null)
  const queues = [{ name: 'writeQ', messages: 4, consumers: 1 }]
  t.equal(sampleOf(counts(0), counts(1_000), { ...LEVELS, queues }).writeQueue, 4)
})
