/**
 * Migrations of services against a real orchestrator: instances that start together,
 * and a record of migrations that somebody removed.
 */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { openDatabase } from '../../client/database.ts'
import { MigrationError, migrate } from '../../client/migrations.ts'
import { Targets } from '../../client/targets.ts'
import { startCluster } from '../../testing/cluster/cluster.ts'
import { call } from '../../testing/convoy.ts'

const USERS_API = fileURLToPath(new URL('../../users-api/main.ts', import.meta.url))
const INSTANCES = 4
const ENDED_MS = 15_000
const RECORDED = 'select number from convoy_migrations where service = $1 order by number'

const cluster = await startCluster(t)

function instance(t: Test) {
  const db = openDatabase({ targets: new Targets([cluster.url]), token: undefined })
  t.teardown(() => db[Symbol.asyncDispose]())
  return db
}

/** One more instance, beside the running one. @returns its exit code, and what it said */
async function endOfUsersApi(t: Test): Promise<{ code: number | null; output: string }> {
  const settings = readFileSync(join(cluster.folder.root, 'settings.json'), 'utf8')
  const env = {
    ...(JSON.parse(settings) as Record<string, string>),
    CONVOY_ORCHESTRATOR_URL: cluster.url,
    CONVOY_HTTP_HOST: '127.0.0.1',
    CONVOY_HTTP_PORT: '0'
  }
  const child = spawn(process.execPath, [USERS_API], { env, timeout: ENDED_MS })
  t.teardown(() => child.kill('SIGKILL'))
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  }
  await once(child, 'close')
  return { code: child.exitCode, output }
}

/** A service of this test's own, with two migrations. */
async function someService(t: Test) {
  const service = `posts_${randomBytes(4).toString('hex')}`
  const folder = await mkdtemp(join(tmpdir(), 'convoy-migrations-'))
  t.teardown(() => rm(folder, { recursive: true }))
  await writeFile(join(folder, '001-a.sql'), `create table ${service} (id int primary key);\n`)
  await writeFile(join(folder, '002-b.sql'), `alter table ${service} add column body text;\n`)
  return { service, folder }
}

await t.test('instances that start together apply each migration once', async t => {
  const own = await someService(t)
  await Promise.all(Array.from({ length: INSTANCES }, () => migrate(instance(t), own)))
  const { rows } = await instance(t).read({
    sql: RECORDED,
    params: [own.service],
    consistency: 'strong'
  })
  t.strictSame(rows, [{ number: 1 }, { number: 2 }])
  t.strictSame(await migrate(instance(t), own), [], 'a later one finds all of it done')
})

await t.test('a removed record of migrations stops a service, and says so', async t => {
  const own = await someService(t)
  const db = instance(t)
  await migrate(db, own)
  const gone = { sql: 'delete from convoy_migrations where service = $1', params: [own.service] }
  await db.write([gone], { requestId: `${own.service}:remove` })
  await t.rejects(migrate(db, own), {
    name: MigrationError.name,
    message: /001-a\.sql was applied, .* record of migrations was removed/
  })
})

await t.test('users-api whose record was removed ends, and its log says why', async t => {
  const gone = { sql: "delete from convoy_migrations where service = 'users-api'" }
  await instance(t).write([gone], { requestId: 'users-api:remove' })
  const [one, other] = await Promise.all([endOfUsersApi(t), endOfUsersApi(t)])
  for (const { code, output } of [one, other]) {
    t.equal(code, 1)
    t.match(output, /MigrationError: migration 001-users\.sql was applied/)
  }
})

await t.test('the record of migrations is not dropped', async t => {
  const body = { statements: [{ sql: 'drop table convoy_migrations' }] }
  const answer = await call(`POST ${cluster.url}/api/v1/db/write`, { body })
  t.equal(answer.status, 400)
  t.match(answer.body, { code: 'CONVOY_SQL_NOT_ALLOWED' })
})
