import fc from 'fast-check'
import t from 'tap'
import { openParser } from '../../orchestrator/admission/parser.ts'
import { conversionsIn } from './conversions.ts'

t.test('a conversion has its expression, its type and its table', async t => {
  const one = (sql: string) => conversionsIn(sql)
  t.strictSame(one('alter table a alter b type int using c'), [
    { table: 'a', expression: 'c', type: 'int' }
  ])
  t.strictSame(one('ALTER TABLE IF EXISTS ONLY public."A b" ALTER COLUMN "c" SET DATA TYPE int'), [
    { table: 'public."A b"', expression: '"c"', type: 'int' }
  ])
  t.strictSame(
    one(`alter/* x /* y */ */table a * add d int, -- alter x type y
      alter type type numeric(10, 2) collate "C" using coalesce(a, ','), alter b type text[] ;`),
    [
      { table: 'a', expression: "coalesce(a, ',')", type: 'numeric(10, 2)' },
      { table: 'a', expression: 'b', type: 'text[]' }
    ]
  )
})

t.test('literals and quoted names hide nothing', async t => {
  const expressions = [
    "'it''s, using (' || b",
    "e'\\', using' || b",
    '"a"" using , b"',
    '$x$ , using $$ ( $x$',
    'U&\'\\0061, \' || U&"b, "',
    '(select 1, 2)',
    'b[1, 2]',
    "b -- ' using\n + 1",
    "b /* ' /* , */ using */ + 1",
    "x'1f'::int",
    "'a'\n  ', b'",
    "e'a' -- '\n  '\\', using'",
    "e'a'\n, '\\'".replace(', ', '')
  ]
  for (const expression of expressions) {
    const sql = `alter table a alter b type int using ${expression}, alter c type text`
    t.strictSame(
      conversionsIn(sql).map(c => c.expression),
      [expression, 'c'],
      expression
    )
  }
})

t.test('what does not close, or is no ALTER TABLE, has none', async t => {
  for (const sql of [
    'alter table a alter b type int using (c',
    'alter table a alter b type int using c)',
    "alter table a /* alter b type int using 'c'",
    'alter type a alter attribute b type int',
    'select 1'
  ]) {
    t.strictSame(conversionsIn(sql), [], sql)
  }
})

interface Command {
  AlterTableCmd?: { subtype: string; def?: { ColumnDef?: { raw_default?: unknown } } }
}

/** The tree without positions, as far as the parser tells it. */
const bare = (tree: unknown): string =>
  JSON.stringify(tree, (key, value) => (/location$/i.test(key) ? undefined : value))

t.test('an expression that is found is the one that PostgreSQL parses', async t => {
  const parser = await openParser()
  const piece = fc.constantFrom(
    ...["'", '"', '$$', '$a$', '--', '\n', '/*', '*/', '(', ')', '[', ']', ',', ';', ' using '],
    ...[' alter b type int', ' + ', 'b', '1', "E'", "U&'", '\\', '::', 'text', "''", ' collate "C"']
  )
  const texts = fc.array(piece, { maxLength: 8 }).map(pieces => pieces.join(''))
  let parsed = 0
  fc.assert(
    fc.property(texts, texts, (before, after) => {
      const sql = `alter table a ${before} alter b type text using ${after}`
      let statements: ReturnType<typeof parser.parse>
      try {
        statements = parser.parse(sql)
      } catch {
        return
      }
      const [only] = statements
      if (only?.stmt === undefined || !('AlterTableStmt' in only.stmt)) return
      const commands = (only.stmt.AlterTableStmt.cmds ?? []) as Command[]
      const wanted = commands
        .filter(({ AlterTableCmd: c }) => c?.subtype === 'AT_AlterColumnType')
        .map(({ AlterTableCmd: c }) => bare(c?.def?.ColumnDef?.raw_default ?? column))
      parsed += 1
      const found = conversionsIn(sql).map(({ expression }) => {
        const [select] = parser.parse(`select ${expression}\n`)
        const { SelectStmt } = (select?.stmt ?? {}) as {
          SelectStmt: { targetList: [{ ResTarget: { val: unknown } }] }
        }
        return bare(SelectStmt.targetList[0].ResTarget.val)
      })
      if (bare(found) !== bare(wanted)) throw new Error(`${sql}: ${found} instead of ${wanted}`)
    }),
    { numRuns: 20_000 }
  )
  t.ok(parsed > 100, `${parsed} of the texts were parsed`)
})

const column = { ColumnRef: { fields: [{ String: { sval: 'b' } }] } }
