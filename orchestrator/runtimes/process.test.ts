/**
 * The process runtime with real processes: a stand-in that shows the same signs of
 * life as a worker (pid file, identity, socket), and does nothing else.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { openLog } from '../../platform/log.ts'
import { startTimeOf } from '../../platform/process-identity.ts'
import { HomeTakenError, takeHome } from '../../workers/home.ts'
import { processState } from '../../workers/postgres/backends.ts'
import { SPARE } from '../../workers/spare.ts'
import { ProcessRuntime } from './process.ts'
import type { Death, Runtime } from './runtime.ts'

const log = openLog({ service: 'test', level: 'silent' })

const yes = async () => true

const STAND_IN = `
  import { waitForPlace } from ${JSON.stringify(import.meta.resolve('../../workers/spare.ts'))}
  import { readFileSync, writeFileSync, rmSync } from 'node:fs'
  import { createServer } from 'node:net'
  import { basename, join } from 'node:path'
  const dir = waitForPlace().folder ?? process.env.CONVOY_WORKER_DIR
  const stat = readFileSync('/proc/self/stat', 'utf8')
  const life = {
    pid: process.pid,
    startTime: stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19],
    workerId: 'id-' + basename(dir)
  }
  console.log('started', process.env.CONVOY_TOLD)
  if (process.env.CONVOY_STUBBORN) process.on('SIGTERM', () => {})
  rmSync(join(dir, 'alive.sock'), { force: true })
  createServer(socket => socket.on('error', () => {}).write(JSON.stringify(life) + '\\n'))
    .listen(join(dir, 'alive.sock'), () => {
      writeFileSync(join(dir, 'worker.pid'), JSON.stringify(life))
      writeFileSync(join(dir, 'worker.json'), JSON.stringify(life))
    })
`

function openRuntime(t: Test, { dir = '', env = {} } = {}) {
  const root = dir === '' ? mkdtempSync(join(tmpdir(), 'convoy-runtime-')) : dir
  const main = join(root, 'stand-in.mjs')
  writeFileSync(main, STAND_IN)
  const environment = { CONVOY_TOLD: 'hello', ...env }
  const runtime = new ProcessRuntime({ dir: root, environment, log, main })
  const deaths: Death[] = []
  runtime.onDeath(death => deaths.push(death))
  t.teardown(async () => {
    try {
      if (existsSync(root))
        for (const { name } of await runtime.list()) await runtime.discard(name, yes)
      await runtime[Symbol.asyncDispose]()
    } finally {
      rmSync(root, { recursive: true, force: true, maxRetries: 5 })
    }
  })
  return { runtime, deaths, root }
}

async function until(is: () => unknown, what: string): Promise<void> {
  const endMs = performance.now() + 10_000
  while (!(await is())) {
    if (performance.now() > endMs) throw new Error(`waited too long for ${what}`)
    await new Promise(resolve => setTimeout(resolve, 10))
  }
}

/** A worker that shows its id, and its pid. */
async function startOne(
  runtime: Runtime
): Promise<{ name: string; workerId: string; pid: number }> {
  const name = await runtime.create()
  const workerId = `id-${name}`
  const place = async () => (await runtime.list()).find(one => one.name === name)
  await until(async () => (await place())?.workerId === workerId, 'the worker to show its id')
  return { name, workerId, pid: (await place())?.pid ?? 0 }
}

t.test('a worker runs in a folder of its own, with the settings and a log there', async t => {
  const { runtime, root } = openRuntime(t)
  const { name, pid } = await startOne(runtime)
  t.match(name, /^[0-9a-f]{8}$/)
  t.ok(startTimeOf(pid))
  t.match(readFileSync(join(root, name, 'worker.log'), 'utf8'), /started hello/)
  await runtime.start(name)
  t.equal((await runtime.list())[0]?.pid, pid, 'one that runs is not started a second time')
})

t.test('the death of a child is told once, and its folder can be used again', async t => {
  const { runtime, deaths } = openRuntime(t)
  const { name, workerId, pid } = await startOne(runtime)
  t.equal(await runtime.kill(workerId), pid)
  await until(() => deaths.length > 0, 'the death')
  await runtime.attend()
  t.strictSame(deaths, [{ name, workerId, pid }])
  t.strictSame(await runtime.list(), [{ name, workerId, pid: null }])
  t.equal(await runtime.kill(workerId), null)
  await runtime.start(name)
  t.not((await runtime.list())[0]?.pid, pid)
})

t.test('who is shown a dead worker was told of its death before', async t => {
  const { runtime, deaths } = openRuntime(t)
  const { name, workerId, pid } = await startOne(runtime)
  process.kill(pid, 'SIGKILL')
  while (startTimeOf(pid) !== undefined); // Nothing is heard meanwhile, of an exit neither.
  const [place] = await runtime.attend()
  t.strictSame([place?.pid, deaths], [null, [{ name, workerId, pid }]])
  await runtime.start(name)
  await until(async () => (await runtime.list())[0]?.pid, 'another one')
  t.equal(deaths.length, 1)
})

t.test('the death of a worker whose folder is lost is told with its id', async t => {
  const { runtime, deaths, root } = openRuntime(t)
  const { name, workerId, pid } = await startOne(runtime)
  rmSync(join(root, name), { recursive: true })
  process.kill(pid, 'SIGKILL')
  await until(() => deaths.length > 0, 'the death')
  t.strictSame(deaths, [{ name, workerId, pid }])
})

t.test('a worker that another orchestrator started is adopted, and its death told', async t => {
  const first = openRuntime(t)
  const { name, workerId, pid } = await startOne(first.runtime)
  const second = openRuntime(t, { dir: first.root })
  await second.runtime.attend()
  await second.runtime.attend()
  process.kill(pid, 'SIGKILL')
  await until(() => second.deaths.length > 0, 'the death')
  t.strictSame(second.deaths, [{ name, workerId, pid }])
})

/** Pids of the spares whose program lies in `root`. */
function spares(root: string): number[] {
  const isSpare = (pid: number) => {
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
      const isAlive = startTimeOf(pid) !== undefined
      return isAlive && words.includes(SPARE) && words.some(word => word.startsWith(root))
    } catch {
      return false // it ended meanwhile
    }
  }
  return readdirSync('/proc').map(Number).filter(Number.isInteger).filter(isSpare)
}

t.test('a spare becomes the next worker, and is one like any other from then on', async t => {
  const { runtime, deaths, root } = openRuntime(t)
  const { name, workerId, pid } = await startOne(runtime)
  runtime.keepSpare(true)
  runtime.keepSpare(true)
  const [spare, ...others] = spares(root)
  t.strictSame([startTimeOf(spare ?? 0) !== undefined, others], [true, []], 'there is one')
  process.kill(pid, 'SIGKILL')
  await until(() => deaths.length > 0, 'the death')
  await runtime.start(name)
  t.strictSame(await runtime.list(), [{ name, workerId, pid: spare }])
  const noted = () => JSON.parse(readFileSync(join(root, name, 'worker.pid'), 'utf8')).pid
  await until(() => noted() === spare, 'it to show that it lives')
  const said = readFileSync(join(root, name, 'worker.log'), 'utf8')
  t.strictSame(said.match(/started hello/g)?.length, 2, 'its output goes where that of others goes')
  t.equal(await runtime.kill(workerId), spare)
  await until(() => deaths.length > 1, 'its death')
  t.strictSame(deaths[1], { name, workerId, pid: spare })
})

t.test('a spare that has ended or stands still is not taken', async t => {
  const { runtime, deaths, root } = openRuntime(t)
  for (const signal of ['SIGKILL', 'SIGSTOP'] as const) {
    runtime.keepSpare(true)
    const [spare = 0] = spares(root)
    process.kill(spare, signal)
    await until(
      () => processState(spare)?.state !== 'S' && processState(spare)?.state !== 'R',
      signal
    )
    const { pid } = await startOne(runtime)
    t.not(pid, spare)
    await until(() => spares(root).length === 0, 'it to be ended')
  }
  t.strictSame(deaths, [], 'and its end is the death of no worker')
})

t.test('a spare ends when it is not wanted, and with who keeps it', async t => {
  const { runtime, root } = openRuntime(t)
  runtime.keepSpare(true)
  t.equal(spares(root).length, 1)
  runtime.keepSpare(false)
  await until(() => spares(root).length === 0, 'its end')
  const keeper = `
    const { Spare } = await import(${JSON.stringify(import.meta.resolve('./spare.ts'))})
    const log = { debug() {}, warn() {} }
    new Spare({ args: [${JSON.stringify(join(root, 'stand-in.mjs'))}], env: {}, log })
    setInterval(() => {}, 1000)`
  const parent = spawn(process.execPath, ['--input-type=module', '-e', keeper])
  t.teardown(() => parent.kill('SIGKILL'))
  await until(() => spares(root).length === 1, 'another one')
  parent.kill('SIGKILL')
  await until(() => spares(root).length === 0, 'its end')
})

t.test('a pid file of a process that is no more means nothing', async t => {
  const { runtime, root } = openRuntime(t)
  const { name, workerId } = await startOne(runtime)
  await runtime.kill(workerId)
  const other = { pid: process.pid, startTime: '1' }
  await until(async () => (await runtime.list())[0]?.pid === null, 'the end')
  writeFileSync(join(root, name, 'worker.pid'), JSON.stringify(other))
  t.equal((await runtime.list())[0]?.pid, null)
  t.equal(await runtime.kill(workerId), null)
})

t.test('a discarded place is gone, with what ran there', async t => {
  const { runtime, root } = openRuntime(t)
  const { name, pid } = await startOne(runtime)
  await runtime.discard(name, yes)
  t.strictSame([existsSync(join(root, name)), startTimeOf(pid)], [false, undefined])
})

t.test('a place is kept when somebody works there, or went on with it meanwhile', async t => {
  const { runtime, root } = openRuntime(t)
  const { name } = await startOne(runtime)
  await runtime.discard(name, async () => false)
  t.ok((await runtime.list())[0]?.pid, 'nothing is killed')
  let asked = 0
  await runtime.discard(name, async () => asked++ === 0)
  t.ok(existsSync(join(root, name, 'worker.json')))
  {
    await using _worker = await takeHome(join(root, name))
    await runtime.discard(name, yes)
    await t.rejects(takeHome(join(root, name)), HomeTakenError)
  }
  t.ok(existsSync(join(root, name, 'worker.json')))
})

t.test('stopping ends all, the stubborn ones too', async t => {
  const { runtime } = openRuntime(t, { env: { CONVOY_STUBBORN: 'true' } })
  const workers = [await startOne(runtime), await startOne(runtime)]
  await runtime.stop({ last: workers[0]?.workerId ?? null, graceMs: 200 })
  await until(() => workers.every(({ pid }) => startTimeOf(pid) === undefined), 'both to end')
})

t.test('with a place ends what a dead worker left running there', async t => {
  const { runtime, root } = openRuntime(t)
  const { name, pid } = await startOne(runtime)
  // The kernel names a process by its file.
  const program = join(root, 'pg_basebackup')
  copyFileSync('/bin/sleep', program)
  const left = spawn(program, ['60'], { cwd: join(root, name), stdio: 'ignore' })
  const ended = once(left, 'exit')
  left.kill('SIGSTOP')
  process.kill(pid, 'SIGKILL')
  await runtime.discard(name, yes)
  t.strictSame(await ended, [null, 'SIGKILL'])
  t.equal(existsSync(join(root, name)), false)
})
