/**
 * `npm run chaos`, shortly: a system of its own, one fault of each sort after the other,
 * and the verdict that its users are shown.
 */
import t from 'tap'
import type { PlannedFault } from '../../bench/chaos/plan.ts'
import { timeline } from '../../bench/chaos/report/plot.ts'
import { textReport } from '../../bench/chaos/report/text.ts'
import { runChaos } from '../../bench/chaos/run.ts'
import { ownSystem } from '../../bench/chaos/targets/own.ts'

const PLAN: PlannedFault[] = [
  { atS: 2, fault: 'kill-master' },
  { atS: 7, fault: 'kill-lb' },
  { atS: 12, fault: 'cut', of: 'replica', from: 'rabbitmq', lastsS: 2 },
  { atS: 18, fault: 'kill-orchestrator' },
  { atS: 23, fault: 'pause', of: 'worker', lastsS: 2 }
]

t.test('half a minute of chaos breaks no guarantee, and every fault is told', async t => {
  const ended = new AbortController()
  t.teardown(() => ended.abort())
  const faults = PLAN.map(({ fault }) => fault)
  const target = await ownSystem({ faults, orchestrators: 2, workers: 3 })
  t.teardown(() => target[Symbol.asyncDispose]())
  const ran = await runChaos({
    ...{ target, plan: PLAN, perS: 60, seed: 1, durationMs: 28_000 },
    ...{ say: line => t.comment(line), stopped: ended.signal }
  })
  const text = textReport('chaos', ran)
  t.ok(ran.verdict.held, text)
  t.match(ran.verdict, { lost: 0, doubled: 0, clientErrors: 0 })
  t.strictSame(
    ran.faults.map(({ fault, notDone }) => [fault, notDone]),
    faults.map(fault => [fault, null])
  )
  t.ok(ran.requests > 1_500, `${ran.requests} requests: the rate was kept`)
  t.ok(
    ran.elections.some(({ term }) => term > 1),
    'the election was seen'
  )
  t.ok(ran.sentAgain['ECONNREFUSED'] ?? ran.sentAgain['ECONNRESET'], 'lb was away')
  t.match(timeline('chaos', ran), /kill-master.*kill-orchestrator/s)
})
