import t from 'tap'
import { encodeFrame } from '../../wire/frame.ts'
import type { Mark, Part } from '../../wire/verify.ts'
import type { Change, Entry } from '../../workers/entry.ts'
import { encodeWorkerMessage } from '../../workers/protocol/messages.ts'
import { changedIn, newsIn } from './changes.ts'

const changed = (...changes: readonly Change[]) => changedIn(Buffer.from(JSON.stringify(changes)))
const insert = (table: string, ...rows: string[]): Change => ({ op: 'insert', table, rows })

t.test('the tables of an entry are those of its changes, each once', async t => {
  t.strictSame(changed(), [])
  t.strictSame(changed(insert('a', '(1)'), insert('b', '(2)'), insert('a', '(3)')), ['a', 'b'])
  const update: Change = { op: 'update', table: 'c', keys: [], rows: ['(1,x)'] }
  t.strictSame(changed(update, { op: 'delete', table: 'd', keys: ['(1)'] }), ['c', 'd'])
  t.strictSame(changed({ op: 'truncate', table: 'a' }), ['a'])
})

t.test('sequences are no tables, and a verification changes none', async t => {
  const part: Part = { kind: 'rows', ranges: [{ table: 'b', after: ['op'], rows: 9 }] }
  const mark: Mark = { id: 'i', replyTo: '"op":"sql"', askedAtMs: 1, part }
  t.strictSame(changed(insert('a'), { op: 'verify', mark }), ['a'])
  const move: Change = { op: 'sequence', sequence: 's', last: '7', called: true }
  t.strictSame(changed(move), [])
  t.strictSame(changed(insert('a'), move, insert('b')), ['a', 'b'])
})

t.test('a schema change, and what is not known here, is everything', async t => {
  t.equal(changed({ op: 'sql', sql: 'drop table "a"' }), 'all')
  t.equal(changedIn(Buffer.from('[{"op":"merge","table":"a"}]')), 'all')
  t.equal(changedIn(Buffer.from('[{"op":"insert","rows":[],"table":"a"}]')), 'all')
})

t.test('rows are not taken for changes, whatever they hold', async t => {
  const rows = ['("op":"insert","table":"x"', '\\"op\\":\\"sql\\"', '{"op":"verify"}', '"', '\\']
  t.strictSame(changed(insert('a', ...rows), insert('b')), ['a', 'b'])
})

t.test('names of tables may hold anything', async t => {
  const names = ['"', '\\', '\\"', 'a\\', 'ä"ö', '\n', '","table":"b', '{"op":"sql"']
  t.strictSame(changed(...names.map(name => insert(name))), names)
})

t.test('a message tells where it stands and what its entries changed', async t => {
  const entry = (index: number, ...changes: Change[]): Entry => ({
    ...{ index, term: 3, requestId: 'r', commandHash: 'h', status: 200, result: '[{}]' },
    ...{ changes: JSON.stringify(changes), checksum: 'c' }
  })
  const common = { term: 3, from: 'm', ackTo: 'q', commitIndex: 6, barrier: 1, keepAfter: 0 }
  const prev = { index: 7, checksum: 'b' }
  const entries = [entry(8, insert('a')), entry(9)]
  const content = encodeWorkerMessage({ kind: 'append', ...common, prev, entries })
  t.strictSame(newsIn(content), {
    ...{ term: 3, master: 'm', prev: 7, commitIndex: 6 },
    entries: [
      { index: 8, tables: ['a'] },
      { index: 9, tables: [] }
    ]
  })
})

t.test('other messages, and what is none, say nothing', async t => {
  t.equal(newsIn(encodeFrame({ kind: 'pruned', term: 3, from: 'm' })), null)
  t.equal(newsIn(Buffer.from('nonsense')), null)
  t.equal(newsIn(Buffer.alloc(0)), null)
})
