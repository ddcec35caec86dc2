import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'

const CHECKOUT = fileURLToPath(new URL('..', import.meta.url))
const PAGES = globSync(['*.md', 'docs/**/*.md'], { cwd: CHECKOUT })
const LINK = /\]\(([^)#\s]+)/g
/** Named without a link; patterns stand for any number of files. */
const NAMED = /`((?:test|workers|orchestrator|platform|cli)\/[\w./*-]+\.ts)`/g

const found = (text: string, pattern: RegExp) =>
  [...text.matchAll(pattern)].map(match => match[1] ?? '')

t.test('every file that a page links to, or names, exists', async t => {
  for (const page of PAGES) {
    const text = readFileSync(join(CHECKOUT, page), 'utf8')
    const local = found(text, LINK).filter(link => !/^[a-z]+:/.test(link))
    const missing = [
      ...local.filter(link => !existsSync(normalize(join(CHECKOUT, dirname(page), link)))),
      ...found(text, NAMED).filter(name => globSync(name, { cwd: CHECKOUT }).length === 0)
    ]
    t.strictSame(missing, [], page)
  }
})

t.test('the guarantees link to tests', async t => {
  const text = readFileSync(join(CHECKOUT, 'docs/guarantees.md'), 'utf8')
  t.ok(found(text, LINK).filter(link => link.endsWith('.test.ts')).length > 20)
})
