import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import {
  BIN_DIR,
  below,
  CLONE_PASSWORD,
  startWorker,
  type TestWorker,
  temporaryFolder
} from '../../testing/fixtures/postgres.ts'
import { type CloneOptions, clonePostgres } from './clone.ts'
import { copyName } from './copies.ts'
import { processesIn } from './processes.ts'
import { hasDatabase } from './server.ts'

const DEADLINE_MS = 30_000
/** Within it a copy of the 30 MB of an empty database lasts about 6 s. */
const SLOWLY = { maxRateKBps: 5_000 }

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const started = performance.now()
  while (!(await holds())) {
    if (performance.now() - started > DEADLINE_MS) throw new Error(`${what}: did not happen`)
    await sleep(20)
  }
}

async function copyOf(t: Test, { server }: TestWorker, more: Partial<CloneOptions> = {}) {
  const dir = join(await temporaryFolder(t), 'w')
  const { host, port } = server
  const as = { binDir: BIN_DIR, workerId: 'w2', password: CLONE_PASSWORD }
  return { dir, host, port, ...as, ...more }
}

/** A process that does nothing but copy a database. */
function cloneElsewhere(options: CloneOptions): ChildProcess {
  const module = new URL('clone.ts', import.meta.url).href
  const program = `
    const { clonePostgres } = await import(${JSON.stringify(module)})
    await clonePostgres(${JSON.stringify(options)})`
  return spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'ignore', 'ignore']
  })
}

/** The two processes of pg_basebackup, or what is left of them. */
async function copiersIn(dir: string): Promise<number[]> {
  const folder = await realpath(dir).catch(() => null)
  if (folder === null) return []
  const pids = await processesIn(folder)
  const names = await Promise.all(
    pids.map(pid => readFile(`/proc/${pid}/comm`, 'utf8').catch(() => ''))
  )
  return pids.filter((_, i) => names[i] === 'pg_basebackup\n')
}

async function isStopped(pid: number): Promise<boolean> {
  return / T /.test(await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => ''))
}

const bothCopy = async (dir: string) => (await copiersIn(dir)).length === 2

t.test('a copier that is killed leaves no process and holds no sender', async t => {
  const donor = await startWorker(t)
  const options = await copyOf(t, donor)
  const child = cloneElsewhere({ ...options, ...SLOWLY })
  await until('both processes copy', () => bothCopy(options.dir))
  t.equal((await donor.store.senders()).length, 2)
  child.kill('SIGKILL')
  await until(
    'no process is left',
    async () => (await processesIn(await realpath(options.dir))).length === 0
  )
  await until('no sender is held', async () => (await donor.store.senders()).length === 0)
})

t.test('after 20 kills at random moments a copy succeeds at once', async t => {
  const donor = await startWorker(t)
  const options = await copyOf(t, donor)
  for (let kill = 0; kill < 20; kill++) {
    const child = cloneElsewhere({ ...options, maxRateKBps: 30_000 })
    await until('it begins', async () => (await copiersIn(options.dir)).length > 0)
    await sleep(Math.random() * 600)
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  const begunMs = performance.now()
  await clonePostgres(options)
  t.comment(`the copy took ${Math.round(performance.now() - begunMs)} ms`)
  t.equal(await hasDatabase(options.dir), true)
  t.strictSame((await readdir(options.dir)).sort(), ['complete', 'data'])
  await until('no sender is held', async () => (await donor.store.senders()).length === 0)
})

t.test('a copy that stands still is given up, and its senders are free', async t => {
  const donor = await startWorker(t)
  const options = await copyOf(t, donor, { ...SLOWLY, stalledMs: 1_500 })
  const copying = clonePostgres(options)
  copying.catch(() => undefined)
  await until('both processes copy', () => bothCopy(options.dir))
  for (const pid of await copiersIn(options.dir)) process.kill(pid, 'SIGSTOP')
  await t.rejects(copying, { name: 'CopyStalledError' })
  await until(
    'no process is left',
    async () => (await processesIn(await realpath(options.dir))).length === 0
  )
  await until('no sender is held', async () => (await donor.store.senders()).length === 0)
})

t.test('a worker ends the copy of a stopped copier', async t => {
  const donor = await startWorker(t)
  // More than the buffers of a connection take.
  await below(
    donor.server,
    `create schema ballast; create table ballast.b (v text);
    alter table ballast.b alter v set storage plain;
    insert into ballast.b select repeat('x', 7000) from generate_series(1, 12000)`
  )
  // So slowly that it is stopped before its end.
  const options = await copyOf(t, donor, { maxRateKBps: 10_000 })
  const copying = clonePostgres(options)
  copying.catch(() => undefined)
  await until('both processes copy', () => bothCopy(options.dir))
  const copiers = await copiersIn(options.dir)
  t.equal(copiers.length, 2)
  for (const pid of copiers) process.kill(pid, 'SIGSTOP')
  await until('they stand still', async () =>
    (await Promise.all(copiers.map(isStopped))).every(Boolean)
  )
  // Until the buffers in between are full, and the sender waits for room.
  let before = ''
  await until('it stands still', async () => {
    const progress = JSON.stringify(await donor.store.senders())
    if (progress === before) return true
    before = progress
    return sleep(1_500, false)
  })
  const senders = await donor.store.senders()
  t.equal(senders.length, 2)
  t.strictSame(new Set(senders.map(({ name }) => name)), new Set([copyName('w2')]))
  const pids = senders.map(({ pid }) => pid)
  await donor.store.endCopy({ name: copyName('another'), pids, why: '' })
  t.equal((await donor.store.senders()).length, 2, 'not the copy of another worker')
  await donor.store.endCopy({ name: copyName('w2'), pids, why: '' })
  await until('no sender is held', async () => (await donor.store.senders()).length === 0)
  for (const pid of copiers) process.kill(pid, 'SIGCONT')
  await t.rejects(copying, /pg_basebackup failed|nice failed/)
})

t.test('what a stopped copier left is ended before the next copy is made there', async t => {
  const donor = await startWorker(t)
  const options = await copyOf(t, donor)
  const child = cloneElsewhere({ ...options, ...SLOWLY })
  await until('both processes copy', () => bothCopy(options.dir))
  const all = await processesIn(await realpath(options.dir))
  for (const pid of all) process.kill(pid, 'SIGSTOP') // the guard too
  child.kill('SIGKILL')
  await once(child, 'exit')
  t.ok((await copiersIn(options.dir)).length > 0)
  await clonePostgres(options)
  t.equal(await hasDatabase(options.dir), true)
  t.strictSame(await copiersIn(options.dir), [])
  for (const pid of all) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // The shell around the copy may be left; all others are ended.
    }
  }
})

t.test('several copies at once are served, with room for a backup', async t => {
  const donor = await startWorker(t)
  const copies = await Promise.all([1, 2, 3, 4, 5].map(() => copyOf(t, donor)))
  await Promise.all(copies.map((options, i) => clonePostgres({ ...options, workerId: `w${i}` })))
  for (const { dir } of copies) t.equal(await hasDatabase(dir), true)
})
