import t from 'tap'
import { afterAttempt, type Situation } from './retry.ts'

const situation: Situation = {
  failure: 'lost',
  method: 'GET',
  hasKey: false,
  failures: 1,
  reached: 1,
  leftMs: 10_000,
  hasOther: true
}
const verdict = (change: Partial<Situation>) => afterAttempt({ ...situation, ...change }, () => 0)
const again = { kind: 'again', delayMs: 0 }
const giveUp = { kind: 'giveUp' }

t.test('what may have been done is repeated only where that is harmless', async t => {
  for (const failure of ['lost', 'timeout'] as const) {
    t.strictSame(verdict({ failure, method: 'GET' }), again)
    t.strictSame(verdict({ failure, method: 'HEAD' }), again)
    for (const method of ['PUT', 'POST', 'DELETE', 'PATCH']) {
      t.strictSame(verdict({ failure, method }), giveUp, `${method} without a key`)
      t.strictSame(verdict({ failure, method, hasKey: true }), again, `${method} with a key`)
    }
  }
})

t.test('what was not done is repeated whatever it is', async t => {
  for (const failure of ['unreached', 'notReady'] as const) {
    t.strictSame(verdict({ failure, method: 'PUT', reached: 0 }), again)
  }
})

t.test('a request that reached three instances is not sent to a fourth', async t => {
  t.strictSame(verdict({ reached: 2 }), again)
  t.strictSame(verdict({ reached: 3 }), giveUp)
  t.strictSame(verdict({ failure: 'unreached', reached: 0, failures: 30 }), again)
})

t.test('the same instance is given time, another is tried at once', async t => {
  const delays = [1, 2, 3, 4, 9].map(failures =>
    verdict({ failure: 'unreached', reached: 0, failures, hasOther: false })
  )
  t.strictSame(
    delays.map(delay => 'delayMs' in delay && delay.delayMs),
    [25, 50, 100, 200, 200]
  )
})

t.test('nothing is tried after the deadline', async t => {
  t.strictSame(verdict({ leftMs: 0 }), giveUp)
  t.strictSame(verdict({ leftMs: 20, hasOther: false }), giveUp)
})

t.test('what the client has left is not sent again', async t => {
  t.strictSame(afterAttempt({ ...situation, failure: 'abandoned' }), { kind: 'giveUp' })
})
