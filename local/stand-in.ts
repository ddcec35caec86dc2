/**
 * One process more of a program, with the settings of one that runs, on a port of its
 * own: clients find it in ZooKeeper, and are served while the other is replaced.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { convoySettings } from './config.ts'
import { Ports } from './processes/ports.ts'
import { WatchedProcess } from './processes/watched.ts'
import { type Program, programSpec } from './programs.ts'

const READY_WITHIN_MS = 60_000

export interface StandInOptions {
  readonly program: Program
  /** Of the process whose settings it takes. */
  readonly pid: number
  /** Of the running system. */
  readonly folder: string
  readonly say: (line: string) => void
}

/** Returns when it is ready; disposing ends it in order. @throws NotReadyError */
export async function startStandIn(options: StandInOptions): Promise<AsyncDisposable> {
  const { program, pid, folder, say } = options
  await using opened = new AsyncDisposableStack()
  const ports = opened.use(new Ports())
  const instance = { name: `${program}-stand-in`, program, port: await ports.take() }
  const watched = new WatchedProcess(programSpec(instance, settingsOf(pid)), {
    logsDir: join(folder, 'logs'),
    // The starter's next start ends what is named there, should this process be killed.
    pidsDir: join(folder, 'pids'),
    cwd: folder,
    say
  })
  opened.defer(() => watched.stop())
  await watched.untilReady(READY_WITHIN_MS)
  return opened.move()
}

/** What it was started with, as the kernel remembers it. */
function settingsOf(pid: number): Record<string, string> {
  const lines = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0')
  const pairs = lines.map(line => [
    line.slice(0, line.indexOf('=')),
    line.slice(line.indexOf('=') + 1)
  ])
  return convoySettings(Object.fromEntries(pairs) as NodeJS.ProcessEnv)
}
