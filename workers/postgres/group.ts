/**
 * Runs one of PostgreSQL's programs as a process group that ends with this process.
 * The kernel's death signal reaches only the program itself. pg_basebackup forks a second
 * process that receives the write-ahead log, and that one outlived a killed worker: it held
 * two of the donor's WAL senders.
 * Invariants:
 * - A guard in the group reads a pipe whose other end this process holds. The pipe closes
 *   when this process ends, however it ends, and the guard then kills the whole group.
 * - When the program fails, the rest of its group ends with it.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { type Account, asAccount } from './account.ts'

/** What a failed program said last stands in the error. */
const SAID_CHARS_MAX = 4_096

/** The guard is in place before the program runs. In a background job, stdin is /dev/null. */
const GUARDED = `exec 3<&0
{ read -r _; kill -KILL 0; } <&3 >/dev/null 2>&1 &
guard=$!
"$@" </dev/null 3<&- &
wait $! || kill -KILL 0
kill $guard
wait $guard
exit 0`

export interface Command {
  readonly program: string
  readonly args: readonly string[]
  readonly env?: NodeJS.ProcessEnv
  readonly cwd: string
  /** Told of everything the program prints to its standard error. */
  readonly onSaid?: (text: string) => void
  /** Ends the program and its children. */
  readonly signal?: AbortSignal
}

/**
 * Runs a program to its end.
 * @throws Error with what it printed when it failed; the reason of `signal` when that ended it
 */
export async function runAs(account: Account | undefined, command: Command): Promise<void> {
  command.signal?.throwIfAborted()
  const { program, args } = asAccount(account, {
    program: 'sh',
    args: ['-c', GUARDED, 'sh', command.program, ...command.args]
  })
  // Detached: the leader of a group of its own.
  const child = spawn(program, args, {
    cwd: command.cwd,
    env: { ...command.env, LC_ALL: 'C.UTF-8' },
    stdio: ['pipe', 'ignore', 'pipe'],
    detached: true
  })
  child.stdin.on('error', () => undefined)
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-SAID_CHARS_MAX)
    command.onSaid?.(text)
  })
  const end = () => killGroup(child)
  command.signal?.addEventListener('abort', end, { once: true })
  try {
    await once(child, 'close')
  } catch (cause) {
    throw new Error(`${command.program} could not be started`, { cause })
  } finally {
    command.signal?.removeEventListener('abort', end)
    child.stdin.destroy()
  }
  if (child.exitCode === 0) return
  command.signal?.throwIfAborted()
  throw new Error(`${command.program} failed: ${said.trim()}`)
}

/** A group's number is not given away while its leader has not been waited for. */
function killGroup({ pid, exitCode, signalCode }: ChildProcess): void {
  if (pid === undefined || exitCode !== null || signalCode !== null) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // It ended between the look and the signal.
  }
}
