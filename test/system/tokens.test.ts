/**
 * What the holder of one token can see of, and do to, the holders of others.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { startCluster } from '../../testing/cluster/cluster.ts'
import { bearerOf, tryWrite } from '../../testing/cluster/database.ts'
import { call } from '../../testing/convoy.ts'

const dir = mkdtempSync(join(tmpdir(), 'convoy-'))
t.teardown(() => rmSync(dir, { recursive: true }))
const file = join(dir, 'tokens')
const lines = [
  ...['write ann secret-of-ann', 'write ann new-secret-of-ann', 'write bob secret-of-bob'],
  ...['read eve secret-of-eve', 'admin root secret-of-root']
]
writeFileSync(file, `${lines.join('\n')}\n`, { mode: 0o600 })
const cluster = await startCluster(t, { settings: { CONVOY_TOKENS_FILE: file } })
const as = (token: string) => ({ url: cluster.url, token })
const [ann, bob, eve, root] = [
  as('secret-of-ann'),
  as('secret-of-bob'),
  as('secret-of-eve'),
  as('secret-of-root')
] as const
const KEY = 'salary'
const INSERT = [{ sql: 'insert into kept values (1, $1) returning *', params: ['of ann'] }]

const outcome = (who: typeof ann) =>
  call(`GET ${cluster.url}/api/v1/db/write/${KEY}`, { headers: bearerOf(who) })

await t.test('the outcome of a write is for its owner, and for admins', async t => {
  const create = [{ sql: 'create table kept (id int primary key, text text)' }]
  t.equal((await tryWrite(ann, create)).status, 200)
  const written = await tryWrite(ann, INSERT, KEY)
  t.equal(written.status, 200)
  t.strictSame((await outcome(ann)).body, written.body)
  t.strictSame((await outcome(as('new-secret-of-ann'))).body, written.body, 'with a new token too')
  t.strictSame((await outcome(root)).body, written.body)
  t.equal((await outcome(bob)).status, 404)
  t.equal((await outcome(eve)).status, 403)
})

await t.test('nor does a request id of somebody else tell anything, or do anything', async t => {
  const taken = await tryWrite(bob, INSERT, KEY)
  t.strictSame(
    [taken.status, (taken.body as { code: string }).code],
    [422, 'CONVOY_REQUEST_ID_REUSED']
  )
  t.notMatch(JSON.stringify(taken.body), 'of ann')
  const again = await tryWrite(as('new-secret-of-ann'), INSERT, KEY)
  t.equal(again.status, 200, 'the owner gets the stored answer')
})

await t.test('the tables of a service are emptied by an admin alone', async t => {
  const { addresses } = cluster.run
  for (const service of ['users-api', 'rides-api'] as const) {
    const url = `${addresses[service]}/api/v1/db/clear`
    const clear = async (token: string) =>
      (await call(`POST ${url}`, { headers: bearerOf(as(token)) })).status
    t.equal(await clear('secret-of-bob'), 403)
    t.equal(await clear('secret-of-root'), 200)
  }
})
