/**
 * Replaces the workers of a running cluster one after the other, under load: each is
 * ended in order, and started again by whoever supervises.
 * Invariants:
 * - The next one is replaced when all are in sync again.
 * - Replicas go before the master, and the master hands over before it ends.
 */
import { request } from 'undici'
import { UserError } from './script.ts'
import { BACK_WITHIN_MS, untilBack } from './until-back.ts'

export interface WorkerUpdate {
  /** Addresses; whichever answers is asked. */
  readonly orchestrators: () => readonly string[]
  /** For guarded calls. */
  readonly authorization: { readonly authorization?: string }
  /** Resolves when the worker with this pid has ended. */
  readonly end: (pid: number) => Promise<void>
  readonly say: (line: string) => void
}

/** The part of `GET /api/v1/cluster` that is looked at. */
interface ClusterNow {
  readonly master: string | null
  readonly inSync: readonly string[]
  readonly workers: readonly { readonly id: string; readonly pid: number; readonly role: string }[]
}

/** @throws UserError saying what did not come back; what was not replaced then goes on as it is */
export async function updateWorkers(update: WorkerUpdate): Promise<void> {
  const { master, workers } = await wholeCluster(update)
  for (const { id } of workers) if (id !== master) await replaceWorker(update, id)
  if (master === null) return
  await handOver(update)
  await replaceWorker(update, master)
}

async function replaceWorker(update: WorkerUpdate, id: string): Promise<void> {
  const { workers, inSync } = await wholeCluster(update)
  const pid = workers.find(worker => worker.id === id)?.pid
  if (pid === undefined) return // scaled away meanwhile
  await update.end(pid)
  await untilBack(`worker ${pid} to be replaced`, async () => {
    const now = await clusterNow(update)
    return isWhole(now) && now.inSync.length >= inSync.length && !has(now, pid)
  })
  update.say(`worker ${pid} is new`)
}

/** Where it comes to nothing, an election follows the end of the master. */
async function handOver(update: WorkerUpdate): Promise<void> {
  const path = '/api/v1/cluster/handover'
  const { statusCode, text } = await ask(update, { method: 'POST', path })
  update.say(statusCode === 200 ? 'another worker is master' : `no handover: ${text}`)
}

async function wholeCluster(update: WorkerUpdate): Promise<ClusterNow> {
  let whole: ClusterNow | undefined
  await untilBack('all workers to be in sync', async () => {
    const now = await clusterNow(update)
    if (isWhole(now)) whole = now
    return whole !== undefined
  })
  return whole as ClusterNow
}

const has = ({ workers }: ClusterNow, pid: number): boolean =>
  workers.some(worker => worker.pid === pid)

/** One leads, and all that are there are in sync. */
const isWhole = ({ master, inSync, workers }: ClusterNow): boolean =>
  workers.some(({ id, role }) => id === master && role === 'master') &&
  workers.every(({ id, role }) => inSync.includes(id) && (role === 'master' || role === 'replica'))

async function clusterNow(update: WorkerUpdate): Promise<ClusterNow> {
  const { text } = await ask(update, { method: 'GET', path: '/api/v1/cluster' })
  return JSON.parse(text) as ClusterNow
}

/** Of the first orchestrator that answers. */
async function ask(
  { orchestrators, authorization }: WorkerUpdate,
  { method, path }: { method: 'GET' | 'POST'; path: string }
): Promise<{ statusCode: number; text: string }> {
  let reason: unknown
  for (const url of orchestrators()) {
    try {
      const reply = await request(`${url}${path}`, {
        method,
        headers: authorization,
        headersTimeout: BACK_WITHIN_MS
      })
      return { statusCode: reply.statusCode, text: await reply.body.text() }
    } catch (err) {
      reason = err
    }
  }
  throw new UserError('no orchestrator answers', { cause: reason })
}
