/**
 * Replaces the processes of a running system one after the other, under load: each is
 * asked to end, and started again, from the files as they are now, by whoever watches it
 * (services and orchestrators by the starter, workers by the supervising orchestrator).
 * Invariants:
 * - The next one is replaced when the one before does its work again; one that stands in
 *   for it serves meanwhile.
 * - Replicas go before the master, and the master hands over before it ends.
 * - Only processes that the system's own pid files name for certain are signalled.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { request } from 'undici'
import { endProcess, signal } from '../processes/identity.ts'
import { recorded, workersIn } from '../processes/leftovers.ts'
import { UserError } from '../script.ts'
import type { Run } from './convoy.ts'
import type { Program } from './programs.ts'
import { startStandIn } from './stand-in.ts'

const POLL_MS = 50
const BACK_WITHIN_MS = 60_000
const WORKER_GRACE_MS = 8_000
const ANSWER_MS = 2_000

export interface UpdateOptions {
  /** Of the running system. */
  readonly folder: string
  /** For guarded calls. */
  readonly authorization: { readonly authorization?: string }
  readonly say: (line: string) => void
}

/** The part of `GET /api/v1/cluster` that is looked at. */
interface ClusterNow {
  readonly master: string | null
  readonly inSync: readonly string[]
  readonly workers: readonly { readonly id: string; readonly pid: number; readonly role: string }[]
}

/** @throws UserError saying what did not come back; what was not replaced then goes on as it is */
export async function updateSystem(options: UpdateOptions): Promise<void> {
  for (const program of ['users-api', 'rides-api', 'orchestrator'] as const) {
    await replaceAllOf(options, program)
  }
  const { master, workers } = await wholeCluster(options)
  for (const { id } of workers) if (id !== master) await replaceWorker(options, id)
  if (master === null) return
  await handOver(options)
  await replaceWorker(options, master)
}

async function replaceAllOf(options: UpdateOptions, program: Program): Promise<void> {
  const { pids } = runOf(options)
  const { [program]: pid = 0 } = pids
  await using _standIn = await startStandIn({ ...options, program, pid })
  for (const name of Object.keys(pids)) {
    if (name === program || name.startsWith(`${program}-`)) await replaceProcess(options, name)
  }
}

async function replaceProcess(options: UpdateOptions, name: string): Promise<void> {
  const before = runOf(options)
  const [identity] = recorded(join(options.folder, 'pids', `${name}.json`))
  if (identity) signal(identity, 'SIGTERM')
  await until(`${name} to do its work again`, async () => {
    const pid = runOf(options).pids[name]
    return pid !== undefined && pid !== identity?.pid && (await isReady(readyUrl(before, name)))
  })
  options.say(`${name} is new`)
}

async function replaceWorker(options: UpdateOptions, id: string): Promise<void> {
  const { workers, inSync } = await wholeCluster(options)
  const pid = workers.find(worker => worker.id === id)?.pid
  const identity = workersIn(runOf(options).workersDir).find(one => one.pid === pid)
  if (identity) await endProcess(identity, { graceMs: WORKER_GRACE_MS })
  await until(`worker ${pid} to be replaced`, async () => {
    const now = await clusterNow(options)
    return isWhole(now) && now.inSync.length >= inSync.length && !has(now, pid)
  })
  options.say(`worker ${pid} is new`)
}

/** Where it comes to nothing, an election follows the end of the master. */
async function handOver(options: UpdateOptions): Promise<void> {
  const path = '/api/v1/cluster/handover'
  const { statusCode, text } = await ask(options, { method: 'POST', path })
  options.say(statusCode === 200 ? 'another worker is master' : `no handover: ${text}`)
}

async function wholeCluster(options: UpdateOptions): Promise<ClusterNow> {
  let whole: ClusterNow | undefined
  await until('all workers to be in sync', async () => {
    const now = await clusterNow(options)
    if (isWhole(now)) whole = now
    return whole !== undefined
  })
  return whole as ClusterNow
}

const has = ({ workers }: ClusterNow, pid: number | undefined): boolean =>
  workers.some(worker => worker.pid === pid)

/** One leads, and all that are there are in sync. */
const isWhole = ({ master, inSync, workers }: ClusterNow): boolean =>
  workers.some(({ id, role }) => id === master && role === 'master') &&
  workers.every(({ id, role }) => inSync.includes(id) && (role === 'master' || role === 'replica'))

async function clusterNow(options: UpdateOptions): Promise<ClusterNow> {
  const { text } = await ask(options, { method: 'GET', path: '/api/v1/cluster' })
  return JSON.parse(text) as ClusterNow
}

/** Of the first orchestrator that answers. */
async function ask(
  options: UpdateOptions,
  { method, path }: { method: 'GET' | 'POST'; path: string }
): Promise<{ statusCode: number; text: string }> {
  let reason: unknown
  for (const url of runOf(options).orchestrators) {
    try {
      const headers = options.authorization
      const reply = await request(`${url}${path}`, {
        method,
        headers,
        headersTimeout: BACK_WITHIN_MS
      })
      return { statusCode: reply.statusCode, text: await reply.body.text() }
    } catch (err) {
      reason = err
    }
  }
  throw new UserError('no orchestrator answers', { cause: reason })
}

function readyUrl({ addresses, orchestrators }: Run, name: string): string {
  const nth = Number(name.split('orchestrator-')[1] ?? 1)
  const url = name.startsWith('orchestrator')
    ? orchestrators[nth - 1]
    : addresses[name as keyof typeof addresses]
  return `${url}/readyz`
}

async function isReady(url: string): Promise<boolean> {
  const reply = await request(url, { headersTimeout: ANSWER_MS })
  await reply.body.dump()
  return reply.statusCode === 200
}

const runOf = ({ folder }: UpdateOptions): Run =>
  JSON.parse(readFileSync(join(folder, 'run.json'), 'utf8')) as Run

/** What cannot be asked just now is asked again. @throws UserError */
async function until(what: string, is: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + BACK_WITHIN_MS
  let cause: unknown
  while (performance.now() < endMs) {
    try {
      if (await is()) return
    } catch (err) {
      cause = err
    }
    await sleep(POLL_MS)
  }
  throw new UserError(`waited ${BACK_WITHIN_MS / 1_000} s in vain for ${what}`, { cause })
}
