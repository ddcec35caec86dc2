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

t.test('one delay makes a quick text unknown, and two slow', async t => {
  const paces = new Paces()
  paces.took(A, 1, 0)
  paces.took(A, LASTS_MS, 0)
  t.equal(paces.of('a', 'select 1', 0), 'unknown')
  paces.took(A, LASTS_MS, 0)
  t.equal(paces.of('a', 'select 1', 0), 'slow')
  paces.took(A, 1, 0)
  t.equal(paces.of('a', 'select 1', 0), 'unknown')
  paces.took(A, 1, 0)
  t.equal(paces.of('a', 'select 1', 0), 'quick')
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
