import t from 'tap'
import type { Callable, Catalog } from './catalog.ts'
import { Statements, textOf } from './statements.ts'

const callable = (name: string): Callable => ({
  name,
  kind: 'function',
  args: ['integer', 'text'],
  result: 'text',
  returnsSet: false
})
const CATALOG: Catalog = {
  callables: ['f', 'g', 'h'].map(callable),
  types: [{ name: 'integer', category: 'N' }]
}
const drawn = (seed: number, count: number) => {
  const statements = new Statements(CATALOG, seed)
  return Array.from({ length: count }, () => textOf(statements.next()))
}

t.test('a seed draws the same statements again', async t => {
  t.strictSame(drawn(7, 200), drawn(7, 200))
  t.notSame(drawn(7, 200), drawn(8, 200))
})

t.test('every function is called before one is called again', async t => {
  const statements = new Statements(CATALOG, 1)
  const seen = new Set<string>()
  while (statements.dealt < CATALOG.callables.length) {
    const text = textOf(statements.next())
    for (const { name } of CATALOG.callables) if (text.includes(`${name}(`)) seen.add(name)
  }
  t.equal(seen.size, CATALOG.callables.length)
})
