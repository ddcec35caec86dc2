import t from 'tap'
import { CommandError } from '../outcome.ts'
import { openSplitter, pointed } from './statements.ts'

const splitter = await openSplitter()

t.test('text is cut where statements end, and nowhere else', async t => {
  const text = "insert into a values (';é') -- ; no\n;\n\nselect 1;/* ; */ select $$;$$"
  const found = splitter.statements(text)
  t.strictSame(
    found.map(({ sql }) => sql),
    ["insert into a values (';é') -- ; no", 'select 1', 'select $$;$$']
  )
  t.strictSame(
    found.map(({ at }) => text.slice(at, at + 6)),
    ['insert', 'select', 'select'],
    'places are counted in characters, not in bytes'
  )
})

t.test('the parser tells what only reads', async t => {
  const reads = (sql: string) => splitter.statements(sql)[0]?.onlyReads
  t.equal(reads('select 1'), true)
  t.equal(reads('with a as (select 1) select * from a'), true)
  t.equal(reads('with a as (delete from t returning *) select * from a'), false)
  t.equal(reads('select * from t for update'), false)
  t.equal(reads('insert into t values (1)'), false)
  t.equal(reads('vacuum t'), false, 'refused by the cluster, which says why')
})

t.test('nothing is found in text that holds nothing', async t => {
  t.strictSame(splitter.statements(''), [])
  t.strictSame(splitter.statements(' \n-- only this\n;;'), [])
})

t.test('text that is no SQL is refused as a whole, with the place', async t => {
  const text = 'select 1;\nselect * form t;'
  t.throws(() => splitter.statements(text, 'a.sql'), CommandError)
  try {
    splitter.statements(text, 'a.sql')
  } catch (err) {
    const { message, code } = err as CommandError
    t.equal(code, 'CONVOY_SQL')
    t.strictSame(message.split('\n'), [
      'a.sql:2:10: syntax error at or near "form"',
      '  select * form t;',
      '           ^'
    ])
  }
})

t.test('a prompt waits for the semicolon that ends a statement', async t => {
  const complete = (text: string) => splitter.isComplete(text)
  t.ok(complete('select 1;'))
  t.ok(complete('select\n1 ; -- done'))
  t.notOk(complete('select 1'))
  t.notOk(complete("select 'a;"))
  t.notOk(complete('select $$ a;'))
  t.notOk(complete('/* a;'))
  t.notOk(complete('select 1 -- ;'))
  t.notOk(complete(''))
})

t.test('a mark stands below the place, tabs kept', async t => {
  t.equal(pointed('a\n\tbc', { at: 3, message: 'no' }), 'no\n  \tbc\n  \t^')
})
