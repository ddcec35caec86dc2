import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { historyIn, keepHistory, LINES_MAX } from './history.ts'

const dir = mkdtempSync(join(tmpdir(), 'convoy-history-'))
t.teardown(() => rmSync(dir, { recursive: true }))

t.test('history comes back in its order, bounded', async t => {
  const file = join(dir, 'new')
  t.strictSame(historyIn(file), [])
  const lines = Array.from({ length: LINES_MAX + 5 }, (_, i) => `line ${i}`).reverse()
  keepHistory(file, lines)
  t.strictSame(historyIn(file), lines.slice(0, LINES_MAX))
})

t.test('only its owner may read it, also where the file was there', async t => {
  const file = join(dir, 'old')
  writeFileSync(file, 'x\n', { mode: 0o644 })
  keepHistory(file, ['y', 'x'])
  t.equal(statSync(file).mode & 0o777, 0o600)
})
