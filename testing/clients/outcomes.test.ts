import t from 'tap'
import { type Attempt, isUnexpected, outcomeOf, outcomeOfAll } from './outcomes.ts'

const attempt = (status: number, code = ''): Attempt => ({ status, code, body: undefined })

t.test('only what is written down as final is final', async t => {
  t.equal(outcomeOf(attempt(200)), 'ok')
  t.equal(outcomeOf(attempt(409, 'CONVOY_EXPECTATION_FAILED')), 'rejected')
  t.equal(outcomeOf(attempt(503, 'CONVOY_OVERLOADED')), 'failed')
  t.equal(outcomeOf(attempt(0, 'ECONNREFUSED')), 'failed')
  t.equal(outcomeOf(attempt(0, 'ECONNRESET')), 'unknown')
  t.equal(outcomeOf(attempt(0, 'TimeoutError')), 'unknown')
  t.equal(outcomeOf(attempt(504, 'CONVOY_UNKNOWN_OUTCOME')), 'unknown')
  t.equal(outcomeOf(attempt(500, 'CONVOY_INTERNAL')), 'unknown')
})

t.test('an attempt that came to nothing says nothing of an earlier one', async t => {
  const lost = attempt(0, 'ECONNRESET')
  const refused = attempt(503, 'CONVOY_OVERLOADED')
  t.equal(outcomeOfAll([lost, refused]), 'unknown')
  t.equal(outcomeOfAll([refused, refused]), 'failed')
  t.equal(outcomeOfAll([lost, refused, attempt(200)]), 'ok')
  t.equal(outcomeOfAll([lost, attempt(409)]), 'rejected')
})

t.test('a bug of the server, and a refusal of good input, are unexpected', async t => {
  t.ok(isUnexpected(attempt(500, 'CONVOY_INTERNAL')))
  t.ok(isUnexpected(attempt(400, 'CONVOY_INDEX_UNKNOWN')))
  t.ok(isUnexpected(attempt(422, 'CONVOY_REQUEST_ID_REUSED')))
  t.notOk(isUnexpected(attempt(504, 'CONVOY_UNKNOWN_OUTCOME')))
  t.notOk(isUnexpected(attempt(409, 'CONVOY_EXPECTATION_FAILED')))
  t.notOk(isUnexpected(attempt(0, 'ECONNRESET')))
})

t.test('a write that was refused as harmful is never applied', async t => {
  const unanswered = { status: 0, code: 'ECONNRESET', body: undefined }
  const refused = { status: 422, code: 'CONVOY_REQUEST_HARMFUL', body: undefined }
  t.equal(outcomeOfAll([unanswered, refused]), 'failed')
  t.equal(outcomeOfAll([unanswered, unanswered]), 'unknown')
  t.equal(isUnexpected(refused), false)
})
