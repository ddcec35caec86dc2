import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { headMember } from '../../orchestrator/backup/head-member.ts'
import { altered, HEAD, NAME_AT } from '../../testing/fixtures/archives.ts'
import { MANIFEST_NAME } from '../../wire/backup.ts'
import { beginSeal, sealOf } from '../../wire/backup-seal.ts'
import { unpack } from './unpack.ts'

const SECRET = 'a secret of the installation'
const BLOCK_BYTES = 512
/** One member alone, without the blocks that end a tar. */
const member = (name: string) => altered(NAME_AT, `${name}\0`).subarray(0, 2 * BLOCK_BYTES)

function fileWith(t: Test, names: readonly string[], { sealed = true } = {}) {
  const dir = mkdtempSync(join(tmpdir(), 'convoy-'))
  t.teardown(() => rmSync(dir, { recursive: true }))
  const tar = [
    gunzipSync(headMember(HEAD)),
    ...names.map(member),
    altered(NAME_AT, `${MANIFEST_NAME}\0`)
  ]
  const bytes = gzipSync(Buffer.concat(tar))
  const seal = sealed ? sealOf(beginSeal(SECRET).update(bytes)) : Buffer.alloc(0)
  const file = join(dir, 'backup.tar.gz')
  writeFileSync(file, Buffer.concat([bytes, seal]))
  return { file, dir: join(dir, 'worker') }
}

const unpacked = (where: { file: string; dir: string }, secret = SECRET) =>
  unpack({ ...where, account: undefined, secret, onHead: () => {}, onRead: () => {} })

t.test('settings and access rules of the file are not used', async t => {
  const names = ['PG_VERSION', 'postgresql.auto.conf', 'postgresql.conf', 'pg_hba.conf', 'base/1/2']
  const where = fileWith(t, names)
  t.match(await unpacked(where), { isSealed: true, head: HEAD })
  const data = join(where.dir, 'data')
  t.strictSame(readdirSync(data).sort(), [
    ...['PG_VERSION', 'backup_manifest', 'base'],
    ...['pg_hba.conf', 'pg_ident.conf', 'postgresql.auto.conf', 'postgresql.conf']
  ])
  for (const name of ['pg_hba.conf', 'postgresql.auto.conf', 'postgresql.conf']) {
    t.equal(readFileSync(join(data, name), 'utf8'), '', name)
  }
})

t.test('what makes PostgreSQL run, follow or look elsewhere is refused', async t => {
  const hostile = [
    ...['recovery.signal', 'standby.signal', 'promote.signal', 'tablespace_map', 'recovery.conf'],
    ...['pg_tblspc/16400', 'pg_tblspc/16400/PG_15_202209061/5/1', 'pg_replslot/s/state'],
    ...['server.key', 'evil.so', 'conf.d/x.conf', 'backup_label/x', 'PG_VERSION.old', 'basement/x']
  ]
  for (const name of hostile) {
    await t.rejects(unpacked(fileWith(t, [name])), /which no backup of a worker has/, name)
  }
})

t.test('a file of somebody else is known as such', async t => {
  t.match(await unpacked(fileWith(t, ['PG_VERSION']), 'another secret'), { isSealed: false })
  t.match(await unpacked(fileWith(t, ['PG_VERSION'], { sealed: false })), { isSealed: false })
})
