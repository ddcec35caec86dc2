import { readFileSync } from 'node:fs'
import { glob } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'

const ROOT = join(import.meta.dirname, '..')
const FOLDERS = [
  'orchestrator',
  'workers',
  'platform',
  'wire',
  'client',
  'users-api',
  'rides-api',
  'lb'
]

const read = (file: string) => readFileSync(join(ROOT, file), 'utf8')
const found = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].map(m => m[1] ?? '')

/** Codes are whole string literals; settings are written the same way, and known from config.ts. */
async function codesInSources(): Promise<string[]> {
  const codes = new Set<string>()
  const settings = new Set<string>()
  const files = await Array.fromAsync(
    glob(
      FOLDERS.map(folder => `${folder}/**/*.ts`),
      { cwd: ROOT }
    )
  )
  for (const file of files) {
    if (file.endsWith('.test.ts') || file.endsWith('.it.test.ts')) continue
    const into = file.endsWith('config.ts') ? settings : codes
    const pattern = file.endsWith('config.ts') ? /\b(CONVOY_[A-Z_]+)\b/g : /'(CONVOY_[A-Z_]+)'/g
    for (const name of found(read(file), pattern)) into.add(name)
  }
  return [...codes.difference(settings)].sort()
}

t.test(
  'every code in the sources is described in docs/errors.md, and the other way round',
  async t => {
    const described = found(read('docs/errors.md'), /^\| `(CONVOY_[A-Z_]+)` \|/gm).sort()
    t.strictSame(described, await codesInSources())
  }
)
