/**
 * Half a minute of the fuzzer, with other statements each time; `npm run fuzz` goes on for
 * as long as is wanted.
 */
import t from 'tap'
import { startCluster } from '../../testing/cluster/cluster.ts'
import { BYSTANDER_MS, fuzz } from '../fuzz/run.ts'

const DURATION_MS = 30_000
/** Other tests may have run just before, and the machine may be busy. */
const SLACK = 3

const cluster = await startCluster(t)
const seed = Math.floor(Math.random() * 1e6)

await t.test(`random statements hurt nobody, seed ${seed}`, async t => {
  const report = await fuzz({
    cluster,
    seed,
    durationMs: DURATION_MS,
    clients: 4,
    perS: 50,
    bystanderMs: SLACK * BYSTANDER_MS,
    compareEveryMs: Number.POSITIVE_INFINITY,
    show: line => t.comment(line),
    stopped: new AbortController().signal
  })
  t.strictSame(report.problems, [])
  t.ok(report.requests > 100, `${report.requests} requests`)
  t.comment(JSON.stringify(report.bystander))
})
