import t from 'tap'
import { metIn } from '../bystander/figures.ts'
import { lineOf, markdownOf, missedIn } from './figures.ts'

function line(times: number, more: object = {}, answers: Record<string, number> = { 200: 10 }) {
  const told = { tookMs: Array(answers[200]).fill(20), answers, seconds: 10 }
  const met = metIn([{ kind: 'write', ms: 30, status: 200 }])
  const counts = { acknowledged: 10, kept: 10 }
  return lineOf({ title: 'small', times, clients: times, told, met, ...counts, ...more })
}

t.test('what was done, refused and left open is told', async t => {
  const answers = { 200: 10, '503 CONVOY_OVERLOADED': 40, '504 CONVOY_UNKNOWN_OUTCOME': 2 }
  const told = line(2, {}, answers)
  t.match(told, { perS: 1, refusedPerS: 4, unknown: 2, p50Ms: 20, worstMs: 30, wrong: [] })
  t.strictSame(missedIn([line(1), told], 1_500), [])
  t.match(markdownOf([told]), /\| small \| 2 × \| 2 \| 1\.0 \|/)
})

t.test('a collapse, what is lost or done twice, and a bystander that waits are missed', async t => {
  const met = metIn([
    { kind: 'read', ms: 2_000, status: 200 },
    { kind: 'read', ms: 1, status: 503 }
  ])
  const lines = [
    line(1),
    line(2, { acknowledged: 12 }),
    line(5, { met }),
    line(20, {}, { 200: 4, '409 CONVOY_SQL': 1 })
  ]
  t.strictSame(missedIn(lines, 1_500), [
    'small × 2: 2 acknowledged rows are lost',
    'small × 5: 2000 ms beside',
    'small × 5: 1 calls beside failed',
    'small × 20: 1 × 409 CONVOY_SQL',
    'small × 20: 0.4/s of 1.0'
  ])
})
