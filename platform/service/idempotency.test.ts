import t from 'tap'
import { InvalidRequestError } from '../../wire/errors.ts'
import { stepsOf } from './idempotency.ts'

const call = { service: 'users-api', operation: 'create-user' }

t.test("a request id is made of service, operation, the caller's key and the step", async t => {
  const steps = stepsOf('k1', call)
  t.equal(steps.requestId('insert'), 'users-api:create-user:k1:insert')
  t.equal(steps.mayRepeat, true)
})

t.test('a call without a key has one of its own, the same for all its steps', async t => {
  const [one, other] = [stepsOf(undefined, call), stepsOf(undefined, call)]
  t.not(one.requestId('a'), other.requestId('a'))
  t.equal(one.requestId('a'), one.requestId('a'))
  t.equal(one.mayRepeat, false)
})

t.test('a key that no request id can hold is refused', async t => {
  for (const key of ['', ' ', 'a b', 'ä', 'x'.repeat(201)]) {
    t.throws(() => stepsOf(key, call), InvalidRequestError, key.slice(0, 10))
  }
})
