import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { ROLES } from './roles.ts'
import { Tokens, tokensIn, tokensOf } from './tokens.ts'

t.test('a token is known by the whole of it, and by nothing else', async t => {
  const tokens = tokensOf({
    CONVOY_TOKEN_READ: 'reads',
    CONVOY_TOKEN_ADMIN: 'rules',
    CONVOY_TOKEN: 'in two words'
  })
  t.match(tokens.holderOf('Bearer in two words'), { role: 'admin' })
  t.strictSame(tokens.holderOf('Bearer reads'), { name: 'read', role: 'read' })
  for (const scheme of ['bearer', 'BEARER', 'Bearer   ']) {
    t.strictSame(tokens.holderOf(`${scheme} reads`), { name: 'read', role: 'read' }, scheme)
  }
  t.strictSame(tokens.holderOf('Bearer rules'), { name: 'admin', role: 'admin' })
  for (const other of [
    undefined,
    '',
    'reads',
    'Bearer',
    'Bearer read',
    'Bearer readss',
    'Bearer Reads',
    'Bearer reads x',
    'Basic reads',
    'Bearerreads'
  ]) {
    t.equal(tokens.holderOf(other), undefined, `${other}`)
  }
})

t.test('the one token for all may everything, and leaves what may be seen open', async t => {
  const tokens = tokensOf({ CONVOY_TOKEN: 'all' })
  t.match(tokens, { asked: true, forViews: false })
  t.match(tokens.holderOf('Bearer all'), { role: 'admin' })
  t.match(tokensOf({ CONVOY_TOKEN: 'all', CONVOY_TOKEN_READ: 'r' }), { forViews: true })
})

t.test('without any token none is asked for', async t => {
  t.match(tokensOf({}), { asked: false, forViews: false })
  t.equal(new Tokens([], { forViews: false }).holderOf(undefined), undefined)
})

t.test('a file holds as many tokens of a role as wanted, and is closed to others', async t => {
  const dir = mkdtempSync(join(tmpdir(), 'convoy-'))
  t.teardown(() => rmSync(dir, { recursive: true }))
  const file = join(dir, 'tokens')
  const lines = [
    '# who',
    ...ROLES.map(role => `${role} ${role}-1 secret-${role}`),
    '',
    'read r2 secret-r2'
  ]
  writeFileSync(file, lines.join('\n'), { mode: 0o600 })
  t.match(
    tokensIn(file).map(({ name, role }) => [role, name]),
    [
      ['read', 'read-1'],
      ['write', 'write-1'],
      ['admin', 'admin-1'],
      ['read', 'r2']
    ]
  )
  const tokens = tokensOf({ CONVOY_TOKENS_FILE: file })
  t.match(tokens, { forViews: true })
  t.strictSame(tokens.holderOf('Bearer secret-r2'), { name: 'r2', role: 'read' })
  chmodSync(file, 0o640)
  t.throws(() => tokensIn(file), /open to others: chmod 600/)
})

t.test('a line that is none is told by its number, and not shown', async t => {
  const dir = mkdtempSync(join(tmpdir(), 'convoy-'))
  t.teardown(() => rmSync(dir, { recursive: true }))
  const file = join(dir, 'tokens')
  for (const line of [
    'owner me long-enough',
    'read me',
    'read me short',
    'read a b c-long-enough'
  ]) {
    writeFileSync(file, `# one\n${line}\n`, { mode: 0o600 })
    const told = t.throws(() => tokensIn(file)) as unknown as Error
    t.match(told.message, /line 2: not/)
    t.notMatch(told.message, 'long-enough')
  }
})
