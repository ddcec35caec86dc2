/**
 * Many clients at once, and requests that come twice: each write that is answered is
 * done once, on every worker.
 */
import { randomUUID } from 'node:crypto'
import t from 'tap'
import { startCluster } from '../../testing/cluster/cluster.ts'
import { read, tryWrite, type WriteAnswer, write } from '../../testing/cluster/database.ts'
import { equalOnAllWorkers, indexIn, levelPlaces, rowsIn } from '../../testing/cluster/databases.ts'
import { call } from '../../testing/convoy.ts'
import { onceOnAllWorkers } from './writers.ts'

const CLIENTS = 200
const WRITES_EACH = 20

const cluster = await startCluster(t)
await write(cluster, {
  sql: `create table written (
    id bigint generated always as identity primary key, value text not null)`
})
const insert = (value: string) => ({
  sql: 'insert into written (value) values ($1) returning id',
  params: [value]
})

await t.test('200 clients write at once: every answer is in all databases once', async t => {
  const answers = new Map<string, WriteAnswer>()
  const client = async () => {
    for (let n = 0; n < WRITES_EACH; n++) {
      const value = randomUUID()
      answers.set(value, await write(cluster, insert(value)))
    }
  }
  await Promise.all(Array.from({ length: CLIENTS }, client))
  t.equal(answers.size, CLIENTS * WRITES_EACH)
  await onceOnAllWorkers(t, cluster, { acknowledged: [...answers.keys()] })
  await equalOnAllWorkers(t, cluster)

  const told = [...answers].map(([value, { results }]) => `${results[0]?.rows[0]?.['id']} ${value}`)
  for (const place of await levelPlaces(cluster)) {
    const rows = await rowsIn(place, 'select id, value from written')
    t.strictSame(rows.map(({ id, value }) => `${id} ${value}`).sort(), told.sort(), 'as told')
  }
  const indexes = [...answers.values()].map(({ index }) => index)
  t.equal(new Set(indexes).size, indexes.length, 'each has an index of its own')
  t.equal(await lastIndex(), Math.max(...indexes))
})

await t.test('the same request twice at once is one row, and the same answer twice', async t => {
  const pairs = Array.from({ length: 50 }, () => ({ key: randomUUID(), value: randomUUID() }))
  const before = await lastIndex()
  await Promise.all(
    pairs.map(async ({ key, value }) => {
      const twice = [1, 2].map(() => tryWrite(cluster, [insert(value)], key))
      const [first, second] = await Promise.all(twice)
      t.equal(first?.status, 200)
      t.strictSame(second?.body, first?.body)
      const later = await tryWrite(cluster, [insert(value)], key)
      t.strictSame({ ...later, headers: {} }, { ...first, headers: {} }, 'and the same later')
      t.equal((later.body as WriteAnswer).requestId, key)
    })
  )
  t.equal(await lastIndex(), before + pairs.length)
  await onceOnAllWorkers(t, cluster, { acknowledged: pairs.map(({ value }) => value) })
})

await t.test('a key does not carry another command', async t => {
  const key = randomUUID()
  const statuses = async (values: string[]) => {
    const answers = await Promise.all(values.map(v => tryWrite(cluster, [insert(v)], key)))
    return answers.map(({ status, body }) => [status, (body as { code?: string }).code])
  }
  const [first, second] = [randomUUID(), randomUUID()]
  const reused = [422, 'CONVOY_REQUEST_ID_REUSED']
  t.strictSame((await statuses([first, second])).sort(), [[200, undefined], reused])
  t.strictSame(await statuses([randomUUID()]), [reused])
  const sql = 'select count(*) from written where value = any ($1)'
  t.strictSame((await read(cluster, sql, { params: [[first, second]] })).rows, [{ count: '1' }])
})

await t.test('an error is as final as a success: its key gives it again', async t => {
  await write(cluster, { sql: 'create table single (id int primary key)' })
  const statement = { sql: 'insert into single values (1)' }
  await write(cluster, statement)
  const key = randomUUID()
  const first = await tryWrite(cluster, [statement], key)
  t.equal(first.status, 409)
  await write(cluster, { sql: 'delete from single' })
  const second = await tryWrite(cluster, [statement], key)
  t.strictSame([second.status, second.body], [409, first.body])
  t.strictSame((await read(cluster, 'select * from single')).rows, [])
})

await t.test('what became of a write can be asked for by its id', async t => {
  const [key, value] = [randomUUID(), randomUUID()]
  const ask = () => call(`GET ${cluster.url}/api/v1/db/write/${key}`)
  t.equal((await ask()).status, 404)
  const { body } = await tryWrite(cluster, [insert(value)], key)
  const outcome = await ask()
  t.equal(outcome.status, 200)
  t.strictSame(outcome.body, body)
})

/** Of the log, on all workers. */
async function lastIndex(): Promise<number> {
  const [place] = await levelPlaces(cluster)
  return place === undefined ? 0 : indexIn(place)
}
