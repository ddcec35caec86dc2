import t from 'tap'
import type { Catalog, Table } from './catalog.ts'
import { PlanError, type RowChange, RowPlan } from './row-plan.ts'

const column = (name: string, keyAt = -1) => ({ name, keyAt, type: 'text', generated: false })
const A: Table = {
  name: 'a',
  holdsRows: true,
  root: null,
  columns: [column('v'), column('id', 0)]
}
const CATALOG: Catalog = { tables: new Map([['a', A]]), sequences: [] }

const insert = (...rows: string[]): RowChange => ({ op: 'insert', table: 'a', rows })
const update = (...rows: string[]): RowChange => ({ op: 'update', table: 'a', keys: [], rows })
const remove = (...keys: string[]): RowChange => ({ op: 'delete', table: 'a', keys })
const rekey = (keys: string[], rows: string[]): RowChange => ({
  op: 'update',
  table: 'a',
  keys,
  rows
})

function work(...changes: RowChange[]) {
  const plan = new RowPlan(CATALOG)
  for (const change of changes) plan.add(change)
  return plan.take().map(({ keys, gone, rows }) => ({ keys, gone, rows }))
}

t.test('only the net effect of changes is left', async t => {
  t.strictSame(work(insert('(x,1)'), update('(y,1)')), [{ keys: [], gone: 0, rows: ['(y,1)'] }])
  t.strictSame(work(insert('(x,1)'), remove('(1)')), [])
  t.strictSame(work(update('(x,1)'), remove('(1)')), [{ keys: [['1']], gone: 1, rows: [] }])
  t.strictSame(work(remove('(1)'), insert('(x,1)')), [{ keys: [['1']], gone: 1, rows: ['(x,1)'] }])
  t.strictSame(work(update('(x,1)', '(y,2)'), update('(z,1)')), [
    { keys: [['1'], ['2']], gone: 2, rows: ['(z,1)', '(y,2)'] }
  ])
})

t.test('a change of keys stands for itself, after what came before it', async t => {
  t.strictSame(work(update('(x,1)'), rekey(['(1)', '(2)'], ['(x,2)', '(y,3)']), remove('(2)')), [
    { keys: [['1']], gone: 1, rows: ['(x,1)'] },
    { keys: [['1'], ['2'], ['3']], gone: 2, rows: ['(x,2)', '(y,3)'] },
    { keys: [['2']], gone: 1, rows: [] }
  ])
})

t.test('a row that one statement changed twice counts once, in its last form', async t => {
  t.strictSame(work(rekey(['(1)'], ['(x,2)', '(y,2)'])), [
    { keys: [['1'], ['2']], gone: 1, rows: ['(y,2)'] }
  ])
})

t.test('an update told of after the deletion of its row changes nothing', async t => {
  t.strictSame(work(remove('(1)'), update('(x,1)')), [{ keys: [['1']], gone: 1, rows: [] }])
})

t.test('changes that do not follow from each other are refused', async t => {
  t.throws(() => work(insert('(x,1)'), insert('(y,1)')), PlanError)
  t.throws(() => work(remove('(1)'), remove('(1)')), PlanError)
  t.throws(() => work({ op: 'insert', table: 'b', rows: [] }), PlanError)
})
