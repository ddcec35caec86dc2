import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import pg from 'pg'
import t from 'tap'
import { readArchive } from '../../cli/backup/archive.ts'
import { openLog } from '../../platform/log.ts'
import {
  BIN_DIR,
  CLONE_PASSWORD,
  startWorker,
  type TestWorker,
  temporaryFolder
} from '../../testing/fixtures/postgres.ts'
import { until } from '../../testing/wait.ts'
import { SETUP_ROLE } from '../../workers/postgres/server.ts'
import { openBaseBackup } from './base-backup.ts'

const log = openLog({ service: 'test', level: 'silent' })
const FREED = { withinMs: 10_000 }
/** Some seconds for an empty database. */
const SLOW_KBPS = 8_000

const backupOf = ({ server }: TestWorker, more = {}) =>
  openBaseBackup({
    source: { workerId: 'w1', host: server.host, port: server.port },
    known: { clusterId: 'c', term: 1, index: 0 },
    password: CLONE_PASSWORD,
    secret: 'of this test',
    binDir: BIN_DIR,
    maxRateKBps: SLOW_KBPS,
    log,
    ...more
  })

async function setUp({ server }: TestWorker) {
  const { socketDir, port } = server
  const client = new pg.Client({ host: socketDir, port, user: SETUP_ROLE, database: 'postgres' })
  client.on('error', () => undefined)
  await client.connect()
  return client
}

t.test('a copy that takes longer than PostgreSQL keeps its log is whole', async t => {
  const worker = await startWorker(t)
  const client = await setUp(worker)
  t.teardown(() => client.end())
  const file = join(await temporaryFolder(t), 'backup.tar.gz')
  const taken = pipeline(await backupOf(worker), createWriteStream(file))
  for (let n = 0; n < 4; n++) {
    await client.query("select pg_logical_emit_message(false, 'fill', repeat('x', 1000000))")
    await client.query('select pg_switch_wal()')
    await client.query('checkpoint')
  }
  await taken
  const names: string[] = []
  const onMember = async ({ name }: { name: string }) => void names.push(name)
  const { head, isSealed } = await readArchive(file, {
    ...{ onRead: () => undefined, onMember, secret: 'of this test' }
  })
  t.ok(isSealed)
  t.match(head, { format: 1, clusterId: 'c', term: 1, workerId: 'w1', postgres: /^15\./ })
  t.ok(names.filter(name => /^pg_wal\/[0-9A-F]{24}$/.test(name)).length > 1)
  t.equal(names.at(-1), 'backup_manifest')
})

t.test('one at a time; who leaves ends it, and nothing of it stays', async t => {
  const worker = await startWorker(t)
  const client = await setUp(worker)
  t.teardown(() => client.end())
  const first = await backupOf(worker)
  await t.rejects(backupOf(worker), { code: 'CONVOY_BACKUP_RUNNING' })
  first.destroy()
  await until('the slot and the copy to end', FREED, async () => {
    const { rows } = await client.query(
      `select from pg_replication_slots union all
       select from pg_stat_activity where backend_type = 'walsender'`
    )
    return rows.length === 0 ? true : undefined
  })
})

t.test('a copy whose PostgreSQL dies is broken off, never ended', async t => {
  const worker = await startWorker(t)
  const archive = await backupOf(worker)
  const taken = archive.resume()
  const broken = new Promise(resolve => taken.once('error', resolve))
  taken.once('end', () => t.fail('it ended well'))
  process.kill(worker.server.pid, 'SIGQUIT')
  t.match(await broken, { message: /pg_basebackup failed/ })
})

t.test('what cannot be copied is refused at once', async t => {
  const worker = await startWorker(t)
  const wrong = backupOf(worker, { password: 'wrong-password' })
  await t.rejects(wrong, { code: 'CONVOY_BACKUP_UNAVAILABLE', message: /password/ })
  const source = { workerId: 'w1', host: '127.0.0.1', port: 1 }
  await t.rejects(backupOf(worker, { source }), { code: 'CONVOY_BACKUP_UNAVAILABLE' })
})
