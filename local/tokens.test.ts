import { hash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { shareTokens } from './tokens.ts'

const digest = (token: string) => hash('sha256', token)

t.test('without tokens nobody is given one', async t => {
  const rest = { CONVOY_LOG_LEVEL: 'debug' }
  t.strictSame(shareTokens(rest), { orchestrator: {}, service: {}, operator: undefined, rest })
})

t.test('the one token for all goes to all who call orchestrators', async t => {
  const given = { CONVOY_TOKEN: 'one' }
  const shared = shareTokens(given)
  const service = { CONVOY_TOKEN: 'one', CONVOY_CLEAR_TOKEN_DIGESTS: digest('one') }
  t.strictSame(shared, { orchestrator: given, service, operator: 'one', rest: {} })
})

t.test('with roles, services are given one that writes and no more', async t => {
  const by = { CONVOY_TOKEN_WRITE: 'w', CONVOY_TOKEN_ADMIN: 'a' }
  t.match(shareTokens(by), { orchestrator: by, service: { CONVOY_TOKEN: 'w' }, operator: 'a' })
  const both = shareTokens({ CONVOY_TOKEN: 'one', CONVOY_TOKEN_WRITE: 'w' })
  const service = { CONVOY_TOKEN: 'w', CONVOY_CLEAR_TOKEN_DIGESTS: digest('one') }
  t.strictSame([both.service, both.operator], [service, 'one'])
})

t.test('what nobody chose is made up, and known to the orchestrators', async t => {
  const dir = mkdtempSync(join(tmpdir(), 'convoy-'))
  t.teardown(() => rmSync(dir, { recursive: true }))
  const file = join(dir, 'tokens')
  writeFileSync(file, 'read r secret-of-r\nadmin a secret-of-a\n', { mode: 0o600 })
  const { orchestrator, service, operator } = shareTokens({ CONVOY_TOKENS_FILE: file })
  t.equal(orchestrator['CONVOY_TOKENS_FILE'], file)
  const digests = `${digest(operator ?? '')},${digest('secret-of-a')}`
  t.equal(service['CONVOY_CLEAR_TOKEN_DIGESTS'], digests)
  t.equal(orchestrator['CONVOY_TOKEN_WRITE'], service['CONVOY_TOKEN'])
  t.equal(orchestrator['CONVOY_TOKEN_ADMIN'], operator)
  t.match(operator, /^[\w-]{32}$/)
  t.not(operator, service['CONVOY_TOKEN'])
})
