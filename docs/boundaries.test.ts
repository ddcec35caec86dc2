import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'

const DOCS = import.meta.dirname
/** The last two cells of a line of the table: a link to a test file, and a title in it. */
const SHOWN = /\| \[[^\]]+\]\(([^)]+\.test\.ts)\) \| ([^|]+) \|$/

t.test('each trust boundary names a test that is there', async t => {
  const text = readFileSync(join(DOCS, 'security.md'), 'utf8')
  const table = text.split('### Trust boundaries')[1]?.split('\n\n')[2] ?? ''
  const lines = table.split('\n').slice(2)
  t.ok(lines.length >= 25)
  for (const line of lines) {
    const [, file = '', title = ''] = SHOWN.exec(line) ?? []
    t.ok(readFileSync(join(DOCS, file), 'utf8').includes(`'${title}'`), line)
  }
})
