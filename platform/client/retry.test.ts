import t from 'tap'
import { decide, retryAfterS } from './retry.ts'

const answer = (status: number, seconds?: number) =>
  ({ kind: 'answer', status, retryAfterS: seconds }) as const

t.test('an answer to the request itself is final, whatever it says', async t => {
  for (const status of [200, 400, 404, 409, 413, 422, 500]) {
    t.strictSame(decide(answer(status), { made: 1, leftMs: 9_000 }), { kind: 'final' })
  }
})

t.test('a broken connection and an overloaded server are tried again, later each time', async t => {
  const waits = [1, 2, 3, 10].map(made =>
    decide({ kind: 'failed' }, { made, leftMs: 9_000, random: () => 1 })
  )
  t.strictSame(waits, [
    { kind: 'again', afterMs: 20 },
    { kind: 'again', afterMs: 40 },
    { kind: 'again', afterMs: 80 },
    { kind: 'again', afterMs: 400 }
  ])
  t.equal(decide(answer(504), { made: 1, leftMs: 9_000 }).kind, 'again')
})

t.test('Retry-After is honoured, up to a second', async t => {
  const again = (seconds: number) => decide(answer(503, seconds), { made: 1, leftMs: 9_000 })
  t.strictSame(again(0), { kind: 'again', afterMs: 0 })
  t.strictSame(again(1), { kind: 'again', afterMs: 1_000 })
  t.strictSame(again(30), { kind: 'again', afterMs: 1_000 })
})

t.test('nothing is tried again that could only start after the deadline', async t => {
  t.strictSame(decide(answer(503, 1), { made: 1, leftMs: 900 }), { kind: 'give up' })
  t.strictSame(decide({ kind: 'failed' }, { made: 5, leftMs: 0 }), { kind: 'give up' })
})

t.test('a Retry-After that is no number of seconds counts as none', async t => {
  t.equal(retryAfterS('2'), 2)
  t.equal(retryAfterS('Sun, 22 Nov 2026 03:00:00 GMT'), undefined)
  t.equal(retryAfterS(undefined), undefined)
})
