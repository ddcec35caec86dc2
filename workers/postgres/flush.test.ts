import { appendFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { flushWhile } from './flush.ts'

const MIB = 1024 * 1024

t.test('it ends when the folder is filled, whatever comes and goes there meanwhile', async t => {
  const parent = mkdtempSync(join(tmpdir(), 'convoy-'))
  t.teardown(() => rmSync(parent, { recursive: true }))
  const dir = join(parent, 'data')
  let filled = false
  async function fill() {
    await sleep(60) // There is no folder yet.
    mkdirSync(join(dir, 'base'), { recursive: true })
    for (const name of ['1', '2', 'gone']) {
      appendFileSync(join(dir, 'base', name), Buffer.alloc(8 * MIB))
      await sleep(60)
    }
    rmSync(join(dir, 'base', 'gone'))
    await sleep(60)
    filled = true
  }
  await flushWhile(dir, fill())
  t.ok(filled)
})

t.test('what fails to fill it is told', async t => {
  const failing = Promise.reject(new Error('no room'))
  await t.rejects(flushWhile('/nowhere', failing), /no room/)
})
