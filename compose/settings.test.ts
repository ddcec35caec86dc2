import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { keepSettings, readSettings, refusalOf, SETTABLE } from './settings.ts'

/** Found out by the stack itself, at each start. */
const FOUND_OUT = [
  ...['CONVOY_CLUSTER', 'CONVOY_DOCKER_SOCKET', 'CONVOY_DOCKER_GROUP'],
  'CONVOY_CLEAR_TOKEN_DIGESTS'
]

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

t.test('what can be set is what compose.yaml passes on', async t => {
  const yaml = readFileSync(join(import.meta.dirname, 'compose.yaml'), 'utf8')
  const passedOn = new Set([...yaml.matchAll(/\$\{(\w+)\}/g)].map(match => match[1]))
  t.strictSame([...SETTABLE, ...FOUND_OUT].toSorted(), [...passedOn].toSorted())
})

t.test('a setting that would do nothing is refused, with those that work', async t => {
  t.equal(refusalOf(['CONVOY_PUBLISH=0.0.0.0', 'CONVOY_TOKEN=a=b', 'CONVOY_LOG_LEVEL=']), undefined)
  const refusal = refusalOf(['CONVOY_LB_PORT=9000', 'CONVOY_CACHE_BYTES=0']) ?? ''
  t.match(refusal, /^--set cannot change CONVOY_CACHE_BYTES; it takes\n/)
  for (const name of SETTABLE) t.match(refusal, `  ${name}`)
  for (const name of FOUND_OUT) t.ok(refusalOf([`${name}=x`]), name)
  for (const text of ['CONVOY_LB_PORT', 'CONVOY_TAG=x\nCONVOY_TOKEN=y']) {
    t.equal(refusalOf([text]), '--set CONVOY_NAME=VALUE')
  }
})
