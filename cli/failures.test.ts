import t from 'tap'
import { graver, refusalOf, unanswered, unreachable } from './failures.ts'
import { EXIT } from './outcome.ts'

const bodyOf = (code: string) => JSON.stringify({ code, message: 'no', position: 3 })
const URL = 'http://127.0.0.1:1'

t.test('a refusal has its exit code, and says what to do next', async t => {
  const wrongToken = refusalOf(401, bodyOf('CONVOY_UNAUTHORIZED'))
  t.equal(wrongToken.exitCode, EXIT.notAllowed)
  t.match(wrongToken.next, 'CONVOY_TOKEN')
  t.equal(refusalOf(403, '{}').exitCode, EXIT.notAllowed)
  t.equal(refusalOf(504, bodyOf('CONVOY_UNKNOWN_OUTCOME')).exitCode, EXIT.unknownOutcome)
  const noReplica = refusalOf(409, bodyOf('CONVOY_NO_SUCH_WORKER'))
  t.equal(noReplica.exitCode, EXIT.failed)
  t.match(noReplica.next, 'convoy workers')
  t.strictSame([noReplica.code, noReplica.details], ['CONVOY_NO_SUCH_WORKER', { position: 3 }])
})

t.test('an answer that is no JSON is shown as it is', async t => {
  t.match(refusalOf(502, '<html>Bad gateway').message, 'Bad gateway (HTTP 502)')
})

t.test('where nothing answers, that is said with the reason', async t => {
  const cause = Object.assign(new Error('connect'), { code: 'ECONNREFUSED' })
  const error = unreachable([URL], cause)
  t.equal(error.exitCode, EXIT.unreachable)
  t.match(error.message, `${URL}: ECONNREFUSED`)
  t.match(unreachable([URL], new TypeError('fetch failed', { cause })).message, 'ECONNREFUSED')
  t.match(error.next, 'convoy up')
})

t.test('what may have been done stays so, until an answer settles it', async t => {
  const lost = unanswered(URL, new Error('reset'))
  const nobody = unreachable([URL], new Error('refused'))
  const frozen = refusalOf(503, bodyOf('CONVOY_FROZEN'))
  const busy = refusalOf(503, bodyOf('CONVOY_OVERLOADED'))
  for (const later of [nobody, frozen, busy]) t.equal(graver(lost, later), lost)
  const final = refusalOf(400, bodyOf('CONVOY_SQL'))
  t.equal(graver(lost, final), final)
  t.equal(graver(frozen, nobody), frozen)
  t.equal(graver(nobody, busy), busy)
  t.equal(graver(undefined, nobody), nobody)
})
