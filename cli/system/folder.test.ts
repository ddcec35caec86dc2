import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { openFolder } from './folder.ts'
import { keptSecrets } from './secrets.ts'

function places(t: Test) {
  const dir = mkdtempSync(join(tmpdir(), 'convoy-'))
  t.teardown(() => rmSync(dir, { recursive: true }))
  return { root: join(dir, '.convoy'), home: join(dir, 'home') }
}

t.test('a checkout that is removed and cloned again finds the secrets of its data', async t => {
  const { root, home } = places(t)
  const secrets = keptSecrets(openFolder(root, home).secretsFile)
  t.strictSame(JSON.parse(readFileSync(join(root, 'secrets.json'), 'utf8')), secrets, 'linked')
  rmSync(root, { recursive: true })
  t.strictSame(keptSecrets(openFolder(root, home).secretsFile), secrets)
})

t.test('secrets that an earlier version kept in the checkout move to the data', async t => {
  const { root, home } = places(t)
  mkdirSync(root)
  const secrets = keptSecrets(join(root, 'secrets.json'))
  t.strictSame(keptSecrets(openFolder(root, home).secretsFile), secrets)
  rmSync(root, { recursive: true })
  t.strictSame(keptSecrets(openFolder(root, home).secretsFile), secrets)
})

t.test('an emptied folder has new secrets, a removed one is gone', async t => {
  const { root, home } = places(t)
  const folder = openFolder(root, home)
  const before = keptSecrets(folder.secretsFile)
  writeFileSync(join(folder.workers, 'data'), 'x')
  folder.empty()
  t.notOk(existsSync(join(folder.workers, 'data')))
  t.not(keptSecrets(folder.secretsFile).storeSecret, before.storeSecret)
  folder.remove()
  t.strictSame(
    [root, home].map(dir => existsSync(dir)),
    [false, false]
  )
})
