import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { keepSettings, readSettings } from './settings.ts'

function file(t: Test) {
  const dir = mkdtempSync(join(tmpdir(), 'convoy-compose-'))
  t.teardown(() => rmSync(dir, { recursive: true }))
  return join(dir, 'deeper', 'main.env')
}

t.test('secrets are made once, and only their owner reads them', async t => {
  const settings = file(t)
  const first = keepSettings(settings, { CONVOY_CLUSTER: 'main' })
  t.equal(statSync(settings).mode & 0o777, 0o600)
  t.ok((first['CONVOY_TOKEN'] ?? '').length >= 20)
  t.strictSame(keepSettings(settings, {}), first)
  t.strictSame(readSettings(settings), first)
})

t.test('what is given replaces what was there, and stays', async t => {
  const settings = file(t)
  t.equal(keepSettings(settings, {})['CONVOY_LB_PORT'], '8080')
  keepSettings(settings, { CONVOY_LB_PORT: '9000' })
  t.equal(keepSettings(settings, {})['CONVOY_LB_PORT'], '9000')
})

t.test('what is no setting is passed over', async t => {
  const dir = mkdtempSync(join(tmpdir(), 'convoy-compose-'))
  t.teardown(() => rmSync(dir, { recursive: true }))
  writeFileSync(join(dir, 'x.env'), '# CONVOY_A=1\n\nCONVOY_B=a=b\nnonsense\n')
  t.strictSame(readSettings(join(dir, 'x.env')), { CONVOY_B: 'a=b' })
  t.strictSame(readSettings(join(dir, 'none.env')), {})
})
