import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, realpath, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import t from 'tap'
import {
  BIN_DIR,
  CLONE_PASSWORD,
  command,
  ddl,
  openWorker,
  readOf,
  rowsOf,
  startWorker,
  temporaryFolder
} from '../../testing/fixtures/postgres.ts'
import { clonePostgres } from './clone.ts'
import { processesIn } from './processes.ts'
import { hasDatabase, initDatabase, SETUP_ROLE, startPostgres } from './server.ts'
import { openStore } from './store.ts'

const DEADLINE_MS = 10_000

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const started = performance.now()
  while (!(await holds())) {
    if (performance.now() - started > DEADLINE_MS) throw new Error(`${what} did not happen`)
    await sleep(20)
  }
}

/** A process that starts PostgreSQL on `dir`, prints its pid and does nothing more. */
async function startElsewhere(dir: string) {
  const module = new URL('server.ts', import.meta.url).href
  const program = `
    const { startPostgres } = await import(${JSON.stringify(module)})
    const server = await startPostgres(${JSON.stringify({ dir, binDir: BIN_DIR })})
    console.log(server.pid, server.port)
    setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit']
  })
  const [line] = await once(child.stdout, 'data')
  const [postmaster = 0, port = 0] = String(line).split(' ').map(Number)
  return { child, postmaster, port }
}

t.test('a database is made, started, stopped and started again', async t => {
  const dir = join(await temporaryFolder(t), 'w')
  t.equal(await hasDatabase(dir), false)
  await initDatabase({ dir, binDir: BIN_DIR })
  t.equal(await hasDatabase(dir), true)
  const first = await openWorker(t, dir)
  t.equal((await stat(first.server.socketDir)).mode & 0o777, 0o700)
  await first.store.remember({ clusterId: 'c', term: 3, stateVersion: 4 })
  await first.store.beginTerm(4)
  const { last } = first.store
  await first.store[Symbol.asyncDispose]()
  await first.server.stop()
  t.match(await first.server.exited, { code: 0 })
  const second = await openWorker(t, dir)
  t.strictSame(second.store.last, last)
  t.strictSame(second.store.memory, { clusterId: 'c', term: 4, stateVersion: 0 })
  await initDatabase({ dir: join(dir, '..', 'x'), binDir: BIN_DIR })
})

t.test('kill -9 of the worker leaves no PostgreSQL', async t => {
  const dir = join(await temporaryFolder(t), 'w')
  await initDatabase({ dir, binDir: BIN_DIR })
  const { child } = await startElsewhere(dir)
  const data = await realpath(join(dir, 'data'))
  t.ok((await processesIn(data)).length > 3)
  child.kill('SIGKILL')
  await until('the end of PostgreSQL', async () => (await processesIn(data)).length === 0)
  await openWorker(t, dir)
})

t.test('kill -9 of a worker with frozen processes leaves none to the next start', async t => {
  const dir = join(await temporaryFolder(t), 'w')
  await initDatabase({ dir, binDir: BIN_DIR })
  const { child, port } = await startElsewhere(dir)
  const data = await realpath(join(dir, 'data'))
  const frozen: number[] = []
  for (let i = 0; i < 3; i++) {
    const host = join(dir, 'socket')
    const client = new pg.Client({ host, port, user: SETUP_ROLE, database: 'postgres' })
    client.on('error', () => undefined)
    await client.connect()
    const { rows } = await client.query('select pg_backend_pid() as pid')
    frozen.push(rows[0].pid)
    // One of them is at work, and holds locks.
    if (i === 0) await client.query('begin; lock table pg_class in share row exclusive mode')
    if (i > 0) client.query('select count(*) from generate_series(1, 1e9)').catch(() => undefined)
    await sleep(50)
    process.kill(rows[0].pid, 'SIGSTOP')
  }
  child.kill('SIGKILL')
  await once(child, 'exit')
  const left = await processesIn(data)
  t.ok(
    frozen.every(pid => left.includes(pid)),
    'a stopped process hears nothing'
  )
  const beganMs = performance.now()
  const { store } = await openWorker(t, dir)
  // Otherwise all that is left there would have 5 s to end.
  const tookMs = performance.now() - beganMs
  t.ok(tookMs < 4_500, `started after ${tookMs.toFixed(0)} ms`)
  const now = await processesIn(data)
  t.strictSame(
    frozen.filter(pid => now.includes(pid)),
    []
  )
  t.equal((await store.beginTerm(1)).index, 1)
})

t.test('a PostgreSQL left running is ended by the next one on its folder', async t => {
  const dir = join(await temporaryFolder(t), 'w')
  await initDatabase({ dir, binDir: BIN_DIR })
  const { child, postmaster } = await startElsewhere(dir)
  t.teardown(() => child.kill('SIGKILL'))
  const { server, store } = await openWorker(t, dir)
  t.not(server.pid, postmaster)
  t.throws(() => process.kill(postmaster, 0))
  t.equal((await store.beginTerm(1)).index, 1)
})

t.test('a clone starts with the rows, the log and the passwords of its source', async t => {
  const { server, store } = await startWorker(t)
  await store.beginTerm(1)
  await store.execute([ddl('create table a (id serial primary key)')], 1)
  await store.execute([command(['insert into a default values'])], 1)
  const dir = join(await temporaryFolder(t), 'w')
  const from = { host: server.host, port: server.port }
  const source = { dir, binDir: BIN_DIR, workerId: 'w2', ...from }
  await t.rejects(clonePostgres({ ...source, password: 'wrong' }), /authentication failed/)
  t.equal(await hasDatabase(dir), false)
  await clonePostgres({ ...source, password: CLONE_PASSWORD, maxRateKBps: 500_000 })
  t.equal(await hasDatabase(dir), true)
  const copy = await startPostgres({ dir, binDir: BIN_DIR })
  t.teardown(() => copy.stop())
  const identity = { workerId: 'w2', secret: 'another', clonePassword: CLONE_PASSWORD }
  const clone = await openStore({ server: copy, ...identity })
  t.teardown(() => clone[Symbol.asyncDispose]())
  t.strictSame(clone.last, store.last)
  t.strictSame(await rowsOf(clone, 'select id from a'), [{ id: 1 }])
  await clone.beginTerm(2)
  t.equal((await clone.execute([command(['insert into a default values'])], 2)).length, 1)
  t.strictSame((await readOf(store, 'select id from a')).body.rows, [{ id: 1 }])
})

t.test('over TCP there is nothing but copying, with a password', async t => {
  const { server } = await startWorker(t)
  for (const user of ['convoy_setup', 'convoy_app', 'convoy_clone']) {
    const client = new pg.Client({
      ...server,
      user,
      password: CLONE_PASSWORD,
      database: 'postgres'
    })
    client.on('error', () => undefined)
    await t.rejects(client.connect(), /no pg_hba.conf entry/, user)
  }
})

t.test('an idle worker is small', async t => {
  const { dir, store } = await startWorker(t)
  await store.beginTerm(1)
  await store.execute([ddl('create table a (id serial primary key)')], 1)
  await readOf(store, 'select 1')
  const pids = await processesIn(await realpath(join(dir, 'data')))
  const sizes = await Promise.all(
    pids.map(async pid => {
      const text = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8')
      return Number(/^Pss:\s+(\d+)/m.exec(text)?.[1])
    })
  )
  const totalMiB = sizes.reduce((sum, size) => sum + size, 0) / 1024
  t.comment(`${pids.length} processes, ${totalMiB.toFixed(1)} MiB`)
  t.ok(totalMiB < 90)
})
