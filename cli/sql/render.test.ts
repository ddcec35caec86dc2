import t from 'tap'
import { resultText, rowsText, valueText } from './render.ts'

const PLAIN = { expanded: false, timing: false }
const FIELDS = [
  { name: 'id', type: 'int8' },
  { name: 'body', type: 'text' }
]
const ROWS = [
  { id: '1', body: '日本' },
  { id: '23', body: null }
]

t.test('rows are aligned, numbers to the right, as psql does', async t => {
  t.strictSame(rowsText(FIELDS, ROWS, PLAIN).split('\n'), [
    ' id | body',
    '----+------',
    '  1 | 日本',
    ' 23 | null',
    '(2 rows)'
  ])
})

t.test('or one column a line', async t => {
  t.strictSame(rowsText(FIELDS, ROWS.slice(0, 1), { expanded: true }).split('\n'), [
    '-[ 1 ]----',
    'id   | 1',
    'body | 日本',
    '(1 row)'
  ])
})

t.test('a write tells its rows, or how many there were', async t => {
  const write = { kind: 'write', requestId: 'a', index: 7, term: 2, ms: 4.21 } as const
  const none = { ...write, results: [{ rowCount: 3, rows: [] }] }
  t.equal(resultText(none, PLAIN), 'ok, 3 rows, index 7')
  const some = { ...write, results: [{ rowCount: 1, rows: [{ id: '5' }] }] }
  t.match(resultText(some, PLAIN), / id\n----\n 5\n\(1 row\)/)
  t.match(resultText(some, { ...PLAIN, timing: true }), '4.2 ms, index 7, term 2')
})

t.test('a value stays on its line, and commands no terminal', async t => {
  t.equal(valueText('a\nb\x1b[31m'), 'a↵b·[31m')
  t.equal(valueText({ a: [1] }), '{"a":[1]}')
  t.equal(valueText(false), 'false')
})
