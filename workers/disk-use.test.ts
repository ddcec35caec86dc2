import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { diskMiBOf } from './disk-use.ts'

t.test('all files of a folder count, at any depth', async t => {
  const dir = t.testdir()
  mkdirSync(join(dir, 'a', 'b'), { recursive: true })
  writeFileSync(join(dir, 'a', 'one'), Buffer.alloc(1024 * 1024, 1))
  writeFileSync(join(dir, 'a', 'b', 'two'), Buffer.alloc(1024 * 1024, 1))
  const size = await diskMiBOf(dir)
  t.ok(size >= 2 && size <= 3, `${size}`)
})
