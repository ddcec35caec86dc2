import { buffer } from 'node:stream/consumers'
import { gunzipSync } from 'node:zlib'
import t from 'tap'
import { headMember } from '../../orchestrator/backup/head-member.ts'
import { altered, HEAD, NAME_AT, TYPE_AT, tar } from '../../testing/fixtures/archives.ts'
import { BrokenArchiveError, members } from './tar.ts'

/** In chunks that end nowhere in particular. */
async function* chunks(bytes: Buffer, size: number) {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

async function read(bytes: Buffer, size = 100) {
  const found: { name: string; text: string }[] = []
  for await (const { name, content } of members(chunks(bytes, size))) {
    found.push({ name, text: (await buffer(content)).toString() })
  }
  return found
}

t.test('what a backup says of itself is read from chunks of any size', async t => {
  for (const size of [1, 511, 512, 513, 10_000]) {
    const [only, ...more] = await read(tar(), size)
    t.equal(only?.name, 'convoy.json')
    t.strictSame(JSON.parse(only?.text ?? ''), HEAD)
    t.strictSame(more, [])
  }
})

t.test('what nobody reads is skipped', async t => {
  const names: string[] = []
  const two = Buffer.concat([gunzipSync(headMember(HEAD)), tar()])
  for await (const { name } of members(chunks(two, 64))) names.push(name)
  t.strictSame(names, ['convoy.json', 'convoy.json'])
})

t.test('an archive that is cut off anywhere is refused', async t => {
  const whole = tar()
  for (const length of [0, 1, 511, 512, 600, 1_023, 1_024, 1_300]) {
    await t.rejects(read(whole.subarray(0, length)), BrokenArchiveError, `${length} bytes`)
  }
})

t.test('a damaged header is refused', async t => {
  const bytes = tar()
  bytes.write('X', 3)
  await t.rejects(read(bytes), BrokenArchiveError)
})

t.test('a path out of the folder is refused, and what is no file', async t => {
  for (const name of ['../x\0', '/etc/x\0', 'a/../../x\0', '.\0']) {
    await t.rejects(read(altered(NAME_AT, name)), /out of its folder/, name)
  }
  for (const type of ['1', '2', '3', '6']) {
    await t.rejects(read(altered(TYPE_AT, type)), /neither file nor folder/, type)
  }
  t.strictSame((await read(altered(NAME_AT, './a//b\0')))[0]?.name, 'a/b')
})
