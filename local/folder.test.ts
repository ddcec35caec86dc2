import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { isFolder, openFolder } from './folder.ts'
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

t.test("what is not Convoy's stays, also the log of who empties it", async t => {
  const { root } = places(t)
  const folder = openFolder(root, undefined)
  const others = ['monday.tar.gz', 'convoy.log', 'compose']
  for (const name of others) writeFileSync(join(root, name), 'x')
  writeFileSync(join(folder.workers, 'data'), 'x')
  folder.empty()
  for (const name of others) t.ok(existsSync(join(root, name)), name)
  t.notOk(existsSync(join(folder.workers, 'data')))
  folder.remove()
  t.strictSame(readdirSync(root).sort(), ['compose', 'monday.tar.gz'])
})

t.test("somebody else's folder is refused, and left as it is", async t => {
  const { root } = places(t)
  mkdirSync(join(root, 'workers'), { recursive: true })
  writeFileSync(join(root, 'package.json'), '{}')
  t.throws(() => openFolder(root, undefined), /no folder of Convoy's: it holds package.json/)
  t.strictSame(readdirSync(root).sort(), ['package.json', 'workers'])
  t.notOk(isFolder(root))
})
