/**
 * Ends what an earlier run left when it was killed. Only what certainly is ours: a
 * process whose start time is the one in our pid file, or a PostgreSQL that works in
 * one of our data folders.
 */
import { existsSync, readdirSync, readFileSync, readlinkSync, realpathSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { endProcess, type Identity, identityOf } from './identity.ts'

/** The orchestrator stops its workers in this time. */
const GRACE_MS = 3_000
const WORKER_GRACE_MS = 1_000
const POSTGRES_GRACE_MS = 1_000

/** @returns how many processes were found and ended */
export async function endLeftovers(dirs: { pids: string; workers: string }): Promise<number> {
  const files = entries(dirs.pids).map(name => join(dirs.pids, name))
  const started = files.flatMap(file => recorded(file))
  // First those that start others, or they would start them again.
  await Promise.all(started.map(identity => endProcess(identity, { graceMs: GRACE_MS })))
  for (const file of files) rmSync(file, { force: true })
  return started.length + (await endWorkers(dirs.workers, WORKER_GRACE_MS))
}

/** Ends workers and their PostgreSQL that nobody supervises any more. */
export async function endWorkers(workersDir: string, graceMs: number): Promise<number> {
  const homes = homesIn(workersDir)
  const workers = workersIn(workersDir)
  await Promise.all(workers.map(identity => endProcess(identity, { graceMs })))
  const postmasters = homes.flatMap(home => postmasterOf(join(home, 'data')))
  await Promise.all(
    postmasters.map(identity =>
      // Immediate shutdown: what is committed is on disk.
      endProcess(identity, { graceMs: POSTGRES_GRACE_MS, politely: 'SIGQUIT' })
    )
  )
  return workers.length + postmasters.length
}

/** Workers that run. */
export const workersIn = (workersDir: string): Identity[] =>
  homesIn(workersDir).flatMap(home => recorded(join(home, 'worker.pid')))

const homesIn = (workersDir: string): string[] =>
  entries(workersDir).map(name => join(workersDir, name))

/** Of a pid file: its process, if that is still running. */
export function recorded(file: string): Identity[] {
  try {
    const identity = JSON.parse(readFileSync(file, 'utf8')) as Identity
    return identityOf(identity.pid)?.startTime === identity.startTime ? [identity] : []
  } catch {
    return [] // Not there, or cut off when the writer was killed: then it had not started anything.
  }
}

function postmasterOf(data: string): Identity[] {
  try {
    const pid = Number(readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n')[0])
    const worksThere = readlinkSync(`/proc/${pid}/cwd`) === realpathSync(data)
    const identity = identityOf(pid)
    return worksThere && identity ? [identity] : []
  } catch {
    return []
  }
}

const entries = (dir: string): string[] => (existsSync(dir) ? readdirSync(dir) : [])
