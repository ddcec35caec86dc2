/**
 * A short torture, another one each time: the seed is in the output, and `npm run torture
 * -- --seed N` draws the same faults again.
 */
import { join } from 'node:path'
import t from 'tap'
import { COMMON_KINDS } from './draw.ts'
import { torture } from './run.ts'

const DURATION_MS = 60_000

t.test('a minute of faults at random breaks no guarantee', async t => {
  const seed = Math.floor(Math.random() * 1e6)
  const ended = new AbortController()
  t.teardown(() => ended.abort())
  const report = await torture({
    seed,
    durationMs: DURATION_MS,
    kinds: COMMON_KINDS,
    clients: 16,
    perS: 10,
    show: line => t.comment(line),
    stopped: ended.signal,
    evidenceDir: join(import.meta.dirname, '../../.torture', `test-${seed}`)
  })
  t.strictSame(report.problems, [], `npm run torture -- --seed ${seed}`)
  t.ok(report.changes.ok > 100, 'writes went on')
  t.ok(report.faults > 3, 'between faults')
})
