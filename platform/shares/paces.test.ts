import t from 'tap'
import { LASTS_MS, Paces } from './paces.ts'

const A = { client: 'a', sql: 'select 1' }

t.test('a text is quick once measured so, for the client that it was measured for', async t => {
  const paces = new Paces()
  t.equal(paces.of('a', 'select 1', 0), 'unknown')
  paces.took(A, 1, 0)
  t.equal(paces.of('a', 'select 1', 0), 'quick')
  t.equal(paces.of('b', 'select 1', 0), 'unknown')
  t.equal(paces.of('a', 'select 2', 0), 'unknown')
})

t.test('a text becomes slow step by step, and quick again', async t => {
  const paces = new Paces()
  const after = (ms: number) => {
    paces.took(A, ms, 0)
    return paces.of('a', 'select 1', 0)
  }
  t.strictSame([1, LASTS_MS, LASTS_MS].map(after), ['quick', 'unknown', 'slow'])
  t.strictSame([LASTS_MS, 1, 1].map(after), ['slow', 'unknown', 'quick'])
})

t.test('a text that was quick often stays quick for a few delays', async t => {
  const paces = new Paces()
  for (let n = 0; n < 50; n++) paces.took(A, 1, 0)
  const after = () => {
    paces.took(A, LASTS_MS, 0)
    return paces.of('a', 'select 1', 0)
  }
  t.strictSame([after(), after(), after(), after()], ['quick', 'quick', 'unknown', 'slow'])
})

t.test('an unknown text that lasts is slow, for half a minute', async t => {
  const paces = new Paces()
  paces.took(A, LASTS_MS, 0)
  t.equal(paces.of('a', 'select 1', 29_999), 'slow')
  t.equal(paces.of('a', 'select 1', 30_000), 'unknown')
})

t.test('long texts are told apart', async t => {
  const paces = new Paces()
  const long = `select '${'x'.repeat(10_000)}'`
  paces.took({ client: 'a', sql: long }, 1, 0)
  t.equal(paces.of('a', long, 0), 'quick')
  t.equal(paces.of('a', `${long} `, 0), 'unknown')
})

t.test('many texts of one client, and many clients, are forgotten oldest first', async t => {
  const paces = new Paces()
  paces.took({ client: 'b', sql: 'kept' }, 1, 0)
  for (let n = 0; n <= 500; n++) paces.took({ client: 'a', sql: `${n}` }, 1, 0)
  t.equal(paces.of('a', '0', 0), 'unknown')
  t.equal(paces.of('a', '500', 0), 'quick')
  t.equal(paces.of('b', 'kept', 0), 'quick', 'no other client is forgotten for them')
  for (let n = 0; n < 200; n++) paces.took({ client: `${n}`, sql: 'x' }, 1, 0)
  t.equal(paces.of('b', 'kept', 0), 'unknown')
})

t.test('a client is steady after many quick statements in a row', async t => {
  const paces = new Paces()
  for (let n = 0; n < 31; n++) paces.took({ client: 'a', sql: `${n}` }, 1, 0)
  t.notOk(paces.isSteady('a'))
  paces.took(A, 1, 0)
  t.ok(paces.isSteady('a'))
  t.notOk(paces.isSteady('b'))
  paces.took(A, LASTS_MS, 0)
  t.notOk(paces.isSteady('a'))
})
