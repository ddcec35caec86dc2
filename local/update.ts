/**
 * Replaces the processes of a running system one after the other, under load: each is
 * asked to end, and started again, from the files as they are now, by whoever watches it
 * (services and orchestrators by the starter, workers by the supervising orchestrator).
 * Invariants:
 * - The next one is replaced when the one before does its work again; one that stands in
 *   for it serves meanwhile.
 * - Only processes that the system's own pid files name for certain are signalled.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { request } from 'undici'
import type { Run } from './convoy.ts'
import { endProcess, signal } from './processes/identity.ts'
import { recorded, workersIn } from './processes/leftovers.ts'
import type { Program } from './programs.ts'
import { startStandIn } from './stand-in.ts'
import { untilBack } from './until-back.ts'
import { updateWorkers } from './update-workers.ts'

const WORKER_GRACE_MS = 8_000
const ANSWER_MS = 2_000

export interface UpdateOptions {
  /** Of the running system. */
  readonly folder: string
  /** For guarded calls. */
  readonly authorization: { readonly authorization?: string }
  readonly say: (line: string) => void
}

/** @throws UserError saying what did not come back; what was not replaced then goes on as it is */
export async function updateSystem(options: UpdateOptions): Promise<void> {
  for (const program of ['users-api', 'rides-api', 'orchestrator'] as const) {
    await replaceAllOf(options, program)
  }
  await updateWorkers({
    orchestrators: () => runOf(options).orchestrators,
    authorization: options.authorization,
    end: pid => endWorker(options, pid),
    say: options.say
  })
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
  await untilBack(`${name} to do its work again`, async () => {
    const pid = runOf(options).pids[name]
    return pid !== undefined && pid !== identity?.pid && (await isReady(readyUrl(before, name)))
  })
  options.say(`${name} is new`)
}

async function endWorker(options: UpdateOptions, pid: number): Promise<void> {
  const identity = workersIn(runOf(options).workersDir).find(one => one.pid === pid)
  if (identity) await endProcess(identity, { graceMs: WORKER_GRACE_MS })
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
