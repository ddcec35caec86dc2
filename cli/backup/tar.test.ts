import { buffer } from 'node:stream/consumers'
import { gunzipSync } from 'node:zlib'
import t from 'tap'
import { headMember } from '../../orchestrator/backup/head-member.ts'
import { BrokenArchiveError, members } from './tar.ts'

const HEAD = {
  ...{ format: 1, clusterId: 'c', term: 2, index: 3, workerId: 'w' },
  ...{ postgres: '15.1', at: '2026-11-22T00:00:00.000Z' }
}
const END = Buffer.alloc(1_024)
const HEADER_SUM_AT = 148
/** A tar of one file. */
const tar = () => Buffer.concat([gunzipSync(headMember(HEAD)), END])

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

/** `tar` with other bytes in its header, and the sum that belongs to them. */
function altered(at: number, text: string): Buffer {
  const bytes = tar()
  bytes.write(text, at)
  bytes.write(' '.repeat(8), HEADER_SUM_AT)
  const sum = bytes.subarray(0, 512).reduce((total, byte) => total + byte, 0)
  bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, HEADER_SUM_AT)
  return bytes
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
    await t.rejects(read(altered(0, name)), /out of its folder/, name)
  }
  for (const type of ['1', '2', '3', '6']) {
    await t.rejects(read(altered(156, type)), /neither file nor folder/, type)
  }
  t.strictSame((await read(altered(0, './a//b\0')))[0]?.name, 'a/b')
})
