import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { CONTAINER_FILE, seenFromOutside } from './container.ts'

function folder(t: Test) {
  const dir = mkdtempSync(join(tmpdir(), 'convoy-container-'))
  t.teardown(() => rmSync(dir, { recursive: true }))
  return { dir, tell: (text: string) => writeFileSync(join(dir, CONTAINER_FILE), text) }
}

t.test('outside of containers the pid is its own', async t => {
  t.strictSame(await seenFromOutside('/nowhere', undefined), { pid: process.pid, container: null })
})

t.test('in a container it waits for what it is told of this life, and of no other', async t => {
  const { dir, tell } = folder(t)
  tell(JSON.stringify({ life: 'before', container: 'old', pid: 1 }))
  const told = seenFromOutside(dir, 'now')
  setTimeout(() => tell('{"life":"now","conta'), 50)
  setTimeout(() => tell(JSON.stringify({ life: 'now', container: 'new', pid: 4321 })), 100)
  t.strictSame(await told, { pid: 4321, container: 'new' })
})
