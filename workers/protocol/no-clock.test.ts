/**
 * The decisions are pure: what time it is, they are told. Nothing there can be moved by
 * a wall clock that jumps.
 */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'

const IMPURE =
  /\b(Date\.|performance\.|setTimeout\(|setInterval\(|setImmediate\(|process\.)|Math\.random|'node:/

t.test('no decision reads a clock, waits, or throws dice', async t => {
  const files = globSync('*.ts', { cwd: import.meta.dirname }).filter(
    name => !name.endsWith('.test.ts')
  )
  t.ok(files.length > 10)
  for (const name of files) {
    t.notMatch(readFileSync(join(import.meta.dirname, name), 'utf8'), IMPURE, name)
  }
})
