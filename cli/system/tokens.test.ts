import { resolve } from 'node:path'
import t from 'tap'
import { shareTokens } from './tokens.ts'

t.test('without tokens nobody is given one', async t => {
  const rest = { CONVOY_LOG_LEVEL: 'debug' }
  t.strictSame(shareTokens(rest), { orchestrator: {}, service: {}, operator: undefined, rest })
})

t.test('the one token for all goes to all who call orchestrators', async t => {
  const given = { CONVOY_TOKEN: 'one' }
  const shared = shareTokens(given)
  t.strictSame(shared, { orchestrator: given, service: given, operator: 'one', rest: {} })
})

t.test('with roles, services are given one that writes and no more', async t => {
  const by = { CONVOY_TOKEN_WRITE: 'w', CONVOY_TOKEN_ADMIN: 'a' }
  t.match(shareTokens(by), { orchestrator: by, service: { CONVOY_TOKEN: 'w' }, operator: 'a' })
  const both = shareTokens({ CONVOY_TOKEN: 'one', CONVOY_TOKEN_WRITE: 'w' })
  t.strictSame([both.service, both.operator], [{ CONVOY_TOKEN: 'w' }, 'one'])
})

t.test('what nobody chose is made up, and known to the orchestrators', async t => {
  const { orchestrator, service, operator } = shareTokens({ CONVOY_TOKENS_FILE: 'who' })
  t.equal(orchestrator['CONVOY_TOKENS_FILE'], resolve('who'))
  t.equal(orchestrator['CONVOY_TOKEN_WRITE'], service['CONVOY_TOKEN'])
  t.equal(orchestrator['CONVOY_TOKEN_ADMIN'], operator)
  t.match(operator, /^[\w-]{32}$/)
  t.not(operator, service['CONVOY_TOKEN'])
})
