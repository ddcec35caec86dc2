/**
 * A worker's own folder: who it is, and the signs of life that a supervisor looks
 * for. `worker.json` is written last, when the data is whole and durable: a folder
 * without it holds nothing worth keeping. New data, new id.
 */
import { randomUUID } from 'node:crypto'
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { mkdir, open, rename, rm, writeFile } from 'node:fs/promises'
import { createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { claimWithin } from '../platform/claim.ts'
import { startTimeOf } from '../platform/process-identity.ts'

const PREDECESSOR_ENDS_MS = 5_000

export interface Identity {
  readonly workerId: string
  readonly clusterId: string
}

export interface Home {
  readonly dir: string
  identity(): Identity | null
  /** Makes the data of this folder a worker; the data must be durable already. */
  settle(identity: Identity): Promise<void>
  /** Throws everything away that makes this folder a worker. PostgreSQL must have ended. */
  forget(): Promise<void>
  /** Whether the next copy is to be taken from the master: the last one had diverged. */
  readonly copyFromMaster: boolean
  markCopyFromMaster(): Promise<void>
  /** What was found to differ in the rows here, before this start or since; null: nothing. */
  doubt(): string | null
  noteDoubt(found: string | null): void
}

export const newWorkerId = (): string => randomUUID().slice(0, 13)

/** A worker works here already, or the folder is being removed. */
export class HomeTakenError extends Error {
  override readonly name = 'HomeTakenError'
}

/**
 * Held as long as this process lives: two workers on one folder would end each other's
 * PostgreSQL, and nobody may remove a folder in which one works. @throws HomeTakenError
 */
export async function takeHome(dir: string): Promise<AsyncDisposable> {
  const claimed = await claimWithin(PREDECESSOR_ENDS_MS, homeClaim(dir))
  if (claimed) return claimed
  throw new HomeTakenError(`${dir} is in use`)
}

/** By what it is, not by its path: links lead to it, and a claim's name is short. */
export function homeClaim(dir: string): string {
  const { dev, ino } = statSync(dir)
  return `worker/${dev}-${ino}`
}

export async function openHome(dir: string): Promise<Home> {
  await mkdir(dir, { recursive: true })
  const file = join(dir, 'worker.json')
  const mark = join(dir, 'copy-from-master')
  const doubt = join(dir, 'rows-in-doubt')
  return {
    dir,
    identity: () =>
      existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Identity) : null,
    async settle(identity) {
      const draft = await open(`${file}.new`, 'w', 0o600)
      await draft.writeFile(JSON.stringify(identity))
      await draft.sync()
      await draft.close()
      await rename(`${file}.new`, file)
      await rm(mark, { force: true })
    },
    get copyFromMaster() {
      return existsSync(mark)
    },
    markCopyFromMaster: () => writeFile(mark, ''),
    doubt: () => (existsSync(doubt) ? readFileSync(doubt, 'utf8') : null),
    noteDoubt(found) {
      if (found === null) rmSync(doubt, { force: true })
      else writeFileSync(doubt, found)
    },
    async forget() {
      await rm(file, { force: true })
      await rm(doubt, { force: true })
      await rm(join(dir, 'complete'), { force: true })
      await rm(join(dir, 'data'), { recursive: true, force: true })
    }
  }
}

/**
 * Writes the pid file and holds a local socket open: its end is this process's
 * death, however it dies. Whoever connects is told who lives here.
 */
export async function showLife(
  home: Home,
  workerId: () => string | null
): Promise<AsyncDisposable> {
  const startTime = startTimeOf(process.pid)
  await writeFile(join(home.dir, 'worker.pid'), JSON.stringify({ pid: process.pid, startTime }))
  const path = join(home.dir, 'alive.sock')
  await rm(path, { force: true })
  const open = new Set<Socket>()
  const server = createServer(socket => {
    open.add(socket)
    socket.on('error', () => socket.destroy()).on('close', () => open.delete(socket))
    socket.write(`${JSON.stringify({ pid: process.pid, startTime, workerId: workerId() })}\n`)
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(path, resolve)
  })
  return {
    async [Symbol.asyncDispose]() {
      server.close()
      for (const socket of open) socket.destroy()
      await rm(join(home.dir, 'worker.pid'), { force: true })
    }
  }
}
