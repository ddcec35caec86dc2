import t from 'tap'
import { isFinal, retryAfterS, waitMs } from './retry.ts'

const answer = (status: number, seconds?: number) =>
  ({ kind: 'answer', status, retryAfterS: seconds }) as const

t.test('an answer to the request itself is final, whatever it says', async t => {
  const finals = [200, 400, 404, 409, 413, 422, 500, 502, 503, 504].filter(isFinal)
  t.strictSame(finals, [200, 400, 404, 409, 413, 422, 500])
})

t.test('a broken connection and an overloaded server are tried again, later each time', async t => {
  const waits = [1, 2, 3, 10].map(rounds =>
    waitMs({ kind: 'failed' }, { rounds, others: false, random: () => 1 })
  )
  t.strictSame(waits, [20, 40, 80, 400])
})

t.test('Retry-After is honoured, up to a second', async t => {
  const wait = (seconds: number) => waitMs(answer(503, seconds), { rounds: 1, others: false })
  t.strictSame([0, 1, 30].map(wait), [0, 1_000, 1_000])
})

t.test('another one is asked at once, whatever the first has said', async t => {
  const failures = [{ kind: 'failed' } as const, answer(503, 1)]
  t.strictSame(
    failures.map(failure => waitMs(failure, { rounds: 3, others: true })),
    [0, 0]
  )
})

t.test('a Retry-After that is no number of seconds counts as none', async t => {
  t.equal(retryAfterS('2'), 2)
  t.equal(retryAfterS('Sun, 22 Nov 2026 03:00:00 GMT'), undefined)
  t.equal(retryAfterS(undefined), undefined)
})
