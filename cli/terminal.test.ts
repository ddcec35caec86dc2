import t from 'tap'
import { bar, styled, table } from './terminal.ts'

interface Row {
  readonly name: string
  readonly n: number
}

const COLUMNS = [
  { head: 'name', text: ({ name }: Row) => name },
  { head: 'n', right: true, text: ({ n }: Row) => String(n), style: () => 'green' as const }
]

t.test('a table is aligned by what a terminal shows', async t => {
  const text = table(COLUMNS, [
    { name: '日本', n: 5 },
    { name: 'a', n: 100 }
  ])
  t.strictSame(text.split('\n'), ['name    n', '日本    5', 'a     100'])
})

t.test('there are no colours where there is no terminal', async t => {
  t.equal(styled('red', 'x'), 'x')
})

t.test('a bar never leaves its bounds', async t => {
  t.equal(bar(0), '░'.repeat(20))
  t.equal(bar(0.5), '█'.repeat(10) + '░'.repeat(10))
  t.equal(bar(7), '█'.repeat(20))
})
