/**
 * The number of replicas follows an operator, or the load, on a busy system: no client
 * notices, no read is delivered twice, nothing is lost.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { startCluster } from '../../testing/cluster/cluster.ts'
import { read } from '../../testing/cluster/database.ts'
import { equalOnAllWorkers } from '../../testing/cluster/databases.ts'
import { call } from '../../testing/convoy.ts'
import { until } from '../../testing/wait.ts'
import { onceOnAllWorkers, Writers } from './writers.ts'

const SCALED = { withinMs: 60_000 }
const LOOK_MS = 50
/** Shorter than after which a worker counts as silent, longer than a round of reads. */
const STILL_MS = 500
/** Its window of 2 s is for so many reads a replica. */
const WINDOW = { kind: 'window', windowS: 2, readsPerReplica: 20 }

interface Shown {
  readonly inSync: readonly string[]
  readonly workers: readonly unknown[]
  readonly replicas: Readonly<Record<'wanted' | 'min' | 'max', number>>
  readonly policy: {
    readonly kind: string
    readonly windowS: number
    readonly next: string | null
    readonly rule: string
    readonly decision: { readonly reason: string } | null
  }
}

const cluster = await startCluster(t, { settings: { CONVOY_LOG_LEVEL: 'debug' } })

const shown = async () => (await call(`GET ${cluster.url}/api/v1/cluster`)).body as Shown

async function put(knob: 'replicas' | 'policy', body: object): Promise<void> {
  const { status } = await call(`PUT ${cluster.url}/api/v1/cluster/${knob}`, { body })
  if (status !== 200) throw new Error(`${knob} answered ${status}`)
}

/** Resolves when so many replicas serve, and no other worker is left. */
const replicas = (count: number) =>
  until(`${count} replicas`, SCALED, async () => {
    const { inSync, workers } = await shown()
    return inSync.length === count + 1 && workers.length === count + 1 ? true : undefined
  })

interface Readers {
  readonly failed: readonly string[]
  /** Resolves when so many more were answered. */
  more(count: number): Promise<true>
  stop(): Promise<void>
}

/** Clients that read all the time, every fourth of them what takes long. */
function startReaders(t: Test, clients: number): Readers {
  const failed: string[] = []
  let answered = 0
  let stopped = false
  const run = async (_: unknown, client: number) => {
    const rows = client % 4 === 0 ? 300_000 : 1
    while (!stopped) {
      // With the present time no orchestrator answers it from what it has kept.
      await read(cluster, `select count(*), now() from generate_series(1, ${rows})`, {
        consistency: 'replica'
      }).catch(err => failed.push(String(err)))
      answered += 1
      await sleep(10)
    }
  }
  const running = Array.from({ length: clients }, run)
  const readers: Readers = {
    failed,
    more(count) {
      const wanted = answered + count
      return until(`${count} reads`, SCALED, () => answered >= wanted || undefined)
    },
    async stop() {
      stopped = true
      await Promise.all(running)
    }
  }
  t.teardown(() => readers.stop())
  return readers
}

/** Counts reads that came to a worker after another had them, as the workers' logs tell. */
function watchRedeliveries(t: Test): () => number {
  const byWorker = new Map<string, number>()
  const look = () => {
    for (const name of readdirSync(cluster.folder.workers)) {
      const file = join(cluster.folder.workers, name, 'worker.log')
      const log = existsSync(file) ? readFileSync(file, 'utf8') : ''
      byWorker.set(name, Math.max(byWorker.get(name) ?? 0, log.split('delivered again').length - 1))
    }
    return [...byWorker.values()].reduce((sum, one) => sum + one, 0)
  }
  // Again and again: a worker's log goes with the worker.
  const timer = setInterval(look, LOOK_MS)
  t.teardown(() => clearInterval(timer))
  return look
}

/** The reasons of all changes of the number wanted, from now on. */
async function followScaling(t: Test): Promise<string[]> {
  const ended = new AbortController()
  const { signal } = ended
  const { body } = await fetch(`${cluster.url}/api/v1/cluster/events`, { signal })
  const reasons: string[] = []
  const follow = async () => {
    for await (const text of body?.pipeThrough(new TextDecoderStream()) ?? []) {
      for (const [, from, to] of text.matchAll(/"scaled".*?"from":(\d+),"to":(\d+)/g)) {
        reasons.push(`${from} to ${to}`)
      }
    }
  }
  const following = follow().catch(() => {})
  t.teardown(() => {
    ended.abort()
    return following
  })
  return reasons
}

await t.test('from 2 replicas to 5 and back, under reads and writes', async t => {
  const redelivered = watchRedeliveries(t)
  const changes = await followScaling(t)
  const writers = await Writers.start(t, cluster, { clients: 4, perS: 60 })
  const readers = startReaders(t, 8)
  await readers.more(40)
  const askedAtMs = performance.now()
  await put('replicas', { count: 5 })
  await replicas(5)
  t.comment(`5 replicas after ${Math.round(performance.now() - askedAtMs)} ms`)
  await readers.more(100)
  const before = redelivered()
  await put('replicas', { count: 2 })
  await replicas(2)
  await readers.more(100)
  await readers.stop()
  const report = await writers.stop()
  t.strictSame(readers.failed, [], 'no read fails')
  t.strictSame(report.errors, [], 'no write fails')
  t.equal(redelivered() - before, 0, 'no read is delivered again')
  t.strictSame(changes, ['2 to 5', '5 to 2'])
  await onceOnAllWorkers(t, cluster, report)
  await equalOnAllWorkers(t, cluster)
})

await t.test(
  'the reads of a replica that is killed are delivered again, and that is seen',
  async t => {
    const redelivered = watchRedeliveries(t)
    const readers = startReaders(t, 8)
    await readers.more(40)
    const before = redelivered()
    // It stands still first, so that it surely has taken what it will not answer.
    const { pids } = await cluster.pause('replica')
    await sleep(STILL_MS)
    for (const pid of pids) process.kill(pid, 'SIGKILL')
    await until('a read to be delivered again', SCALED, () => redelivered() > before || undefined)
    await readers.stop()
    t.strictSame(readers.failed, [])
    await replicas(2)
  }
)

await t.test('by default, reads ask for no more replicas than the cores can use', async t => {
  const { policy } = await shown()
  t.equal(policy.kind, 'fixed', 'from the tests before')
  const changes = await followScaling(t)
  await put('policy', { kind: 'load', coolDownS: 60 })
  const most = Math.max(2, availableParallelism() - 1)
  t.match(
    (await shown()).policy.rule,
    new RegExp(`; 2 to ${Math.min(5, most)} replicas on \\d+ cores$`)
  )
  const readers = startReaders(t, 8)
  const { reason } = await until('a decision about busy replicas', SCALED, async () => {
    const { decision } = (await shown()).policy
    return decision !== null && /^reads keep/.test(decision.reason) ? decision : undefined
  })
  t.comment(reason)
  const [, percent] = /(\d+) % busy/.exec(reason) ?? []
  t.ok(Number(percent) > 10, 'the load is seen')
  if (most === 2) t.strictSame(changes, [], 'nothing is scaled on two cores')
  await readers.stop()
  t.strictSame(readers.failed, [])
})

await t.test('the window policy follows the load by itself', async t => {
  const changes = await followScaling(t)
  await put('replicas', { min: 2, max: 3 })
  await put('policy', WINDOW)
  const readers = startReaders(t, 8)
  await replicas(3)
  t.not((await shown()).policy.next, null, 'it tells when it decides next')
  await readers.stop()
  await replicas(2)
  t.strictSame(readers.failed, [])
  t.strictSame(changes, ['2 to 3', '3 to 2'])
})

await t.test('settings outlive a restart of everything', async t => {
  await put('replicas', { min: 3, max: 4 })
  await replicas(3)
  await cluster.stop()
  await cluster.start()
  await replicas(3)
  t.match(await shown(), {
    replicas: { wanted: 3, min: 3, max: 4 },
    policy: { kind: 'window', windowS: WINDOW.windowS, readsPerReplica: WINDOW.readsPerReplica }
  })
})
