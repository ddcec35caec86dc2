import t from 'tap'
import { differing, type Item } from './comparison.ts'
import { changedObjects, type Shape, touchedTables } from './schema-check.ts'

const MIB = 1024 * 1024
const table = (name: string, file: string, shape: string, mib = 1): Shape => ({
  name,
  file,
  shape,
  bytes: mib * MIB
})
const object = (name: string, sum: string | null, kind = 'index'): Item => ({ kind, name, sum })

t.test('tables that were written anew are compared, whatever their size', async t => {
  const before = [table('a', '1/1', 's'), table('b', '2/2', 's')]
  const after = [table('a', '1/9', 's', 5_000), table('b', '2/2', 's'), table('c', '3/3', 'n')]
  t.strictSame(touchedTables(before, after), ['a', 'c'])
})

t.test('a table that only has another name is not', async t => {
  t.strictSame(touchedTables([table('a', '1/1', 's')], [table('b', '1/1', 's')]), [])
})

t.test('tables that show something else are compared up to 64 MiB, small ones first', async t => {
  const sizes = [40, 3, 65, 22, 20]
  const tables = (shape: string) => sizes.map((mib, i) => table(`t${mib}`, `${i}/${i}`, shape, mib))
  t.strictSame(touchedTables(tables('old'), tables('new')), ['t20', 't22', 't3'])
})

t.test('objects that are other, new or gone are compared', async t => {
  const before = [object('same', '1'), object('other', '1'), object('gone', '1')]
  const after = [object('same', '1'), object('other', '2'), object('new', '3')]
  t.strictSame(changedObjects(before, after), [
    object('other', '2'),
    object('new', '3'),
    object('gone', null)
  ])
})

t.test('what differs is named, and faults are of this worker alone', async t => {
  const rows = (name: string, count: string, sum: string): Item => ({
    ...{ kind: 'rows', name, rows: count, sum }
  })
  const theirs = [
    ...[rows('a', '1', 'x'), rows('b', '1', 'x'), rows('c', '1', 'x')],
    ...[object('i', '1'), object('s', '4 t', 'position'), object('log entry 2', 'f', 'fault')]
  ]
  const ours = [
    ...[rows('a', '1', 'x'), rows('b', '2', 'x'), rows('c', '1', 'y')],
    ...[object('j', '1'), object('s', '5 t', 'position'), object('trigger t', 'is off', 'fault')]
  ]
  t.strictSame(differing(ours, theirs), [
    'b',
    'c',
    'index i (missing)',
    `index j (not the master's)`,
    'position of sequence s',
    'trigger t is off'
  ])
  t.strictSame(differing(theirs, theirs), ['log entry 2 f'])
})
