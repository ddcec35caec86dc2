import { readFileSync } from 'node:fs'
import t from 'tap'
import { configurationPage, SECTIONS } from './configuration.ts'

t.test('docs/configuration.md is what the schemas say', async t => {
  const page = readFileSync(new URL('../../docs/configuration.md', import.meta.url), 'utf8')
  t.equal(page, configurationPage(), 'run `npm run docs:configuration`')
})

t.test('every setting says what it means', async t => {
  for (const { settings } of SECTIONS) {
    for (const [name, schema] of Object.entries(settings)) {
      t.match((schema as { description?: string }).description, /^.{10,}[^.]$/, name)
    }
  }
})
