import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { UserError } from '../../local/script.ts'
import { archive, HEAD } from '../../testing/fixtures/archives.ts'
import { saveBackup } from './save.ts'

const CHUNK_BYTES = 100

async function* stream(bytes: Buffer, breaksOff = false) {
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
    yield bytes.subarray(at, at + CHUNK_BYTES)
    if (breaksOff) throw new Error('broken off')
  }
}

function fileIn(t: Test): string {
  const dir = mkdtempSync(join(tmpdir(), 'convoy-save-'))
  t.teardown(() => rmSync(dir, { recursive: true }))
  return join(dir, 'backup.tar.gz')
}

const save = (file: string, bytes: Buffer, breaksOff = false) =>
  saveBackup({ file, archive: stream(bytes, breaksOff), onBytes: () => undefined })

t.test('a whole backup becomes a file that only its owner can read', async t => {
  const file = fileIn(t)
  writeFileSync(`${file}.partial`, 'of an attempt that was killed', { mode: 0o644 })
  const bytes = archive()
  t.strictSame(await save(file, bytes), { ...HEAD, bytes: bytes.length })
  t.ok(readFileSync(file).equals(bytes))
  t.equal(statSync(file).mode & 0o777, 0o600)
  t.notOk(existsSync(`${file}.partial`))
})

t.test('of what is not whole nothing is kept, and what was there stays', async t => {
  const file = fileIn(t)
  writeFileSync(file, 'the last one')
  const whole = archive()
  const unlisted = whole.subarray(0, whole.length >> 1)
  for (const bytes of [unlisted, Buffer.from('no gzip'), Buffer.alloc(0), archive({ format: 2 })]) {
    await t.rejects(save(file, bytes), UserError)
  }
  await t.rejects(save(file, whole, true), /broken off/)
  t.equal(readFileSync(file, 'utf8'), 'the last one')
  t.notOk(existsSync(`${file}.partial`))
})
