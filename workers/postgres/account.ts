/**
 * Which account PostgreSQL's programs run as. PostgreSQL refuses root, so a worker
 * started by root hands its folder to an unprivileged account; anybody else runs
 * PostgreSQL as himself. Every program dies with the worker: the kernel sends it
 * a signal when its parent ends, however that ended.
 */
import { chown, mkdir, readFile } from 'node:fs/promises'

export interface Account {
  readonly uid: number
  readonly gid: number
}

/** Undefined: the worker's own account will do. @throws Error when `name` is unknown here */
export async function accountFor(name: string): Promise<Account | undefined> {
  if (process.getuid?.() !== 0) return undefined
  const line = (await readFile('/etc/passwd', 'utf8'))
    .split('\n')
    .find(entry => entry.startsWith(`${name}:`))
  if (line === undefined) {
    throw new Error(`PostgreSQL refuses to run as root, and there is no account "${name}"`)
  }
  const [, , uid, gid] = line.split(':')
  return { uid: Number(uid), gid: Number(gid) }
}

/**
 * The command line that runs `program` as `account`, ended by `signal` with its
 * parent. SIGQUIT lets a postmaster end all its children at once, without the
 * checkpoint of an orderly stop: whatever ran was not confirmed to anybody.
 */
export function asAccount(
  account: Account | undefined,
  command: { program: string; args: readonly string[]; signal?: 'QUIT' | 'KILL' }
): { program: string; args: string[] } {
  const drop =
    account === undefined
      ? []
      : [`--reuid=${account.uid}`, `--regid=${account.gid}`, '--clear-groups']
  const signal = command.signal ?? 'KILL'
  return {
    program: 'setpriv',
    args: [...drop, `--pdeathsig=${signal}`, '--', command.program, ...command.args]
  }
}

/** A folder that `account` alone can enter. */
export async function makeFolder(path: string, account: Account | undefined): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 })
  if (account !== undefined) await chown(path, account.uid, account.gid)
}
