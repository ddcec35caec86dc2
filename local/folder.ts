/**
 * Where one running system keeps its things: `.convoy/` of a checkout, or a
 * temporary folder of a test. Data of servers that run as another user lies where
 * that user can go, and is linked from here. Secrets lie beside the data that knows
 * them: a checkout that is removed and cloned again finds both, or neither.
 */
import { createHash } from 'node:crypto'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  unlinkSync
} from 'node:fs'
import { join, resolve } from 'node:path'
import { ConfigError } from '../platform/config.ts'
import { UserError } from './script.ts'

export interface Folder {
  readonly root: string
  readonly logs: string
  readonly pids: string
  readonly rabbitMq: string
  readonly zooKeeper: string
  readonly workers: string
  readonly tls: string
  readonly secretsFile: string
  readonly runFile: string
  /** Throws away data, secrets and logs. Nothing of the system may run. */
  empty(): void
  /** Removes all that is Convoy's, and the folder when nothing else is in it. Nothing of the system may run. */
  remove(): void
}

const DATA = ['rabbitmq', 'zookeeper', 'workers'] as const
const SECRETS = 'secrets.json'
/** Begun before the system that it tells of is emptied. */
const STARTER_LOG = ['convoy.log', 'convoy.log.1']
const MADE = [
  ...[...DATA, 'restoring', 'replaced', SECRETS, 'logs', 'pids', 'tls'],
  ...['run.json', 'settings.json', 'starter.json', 'token']
]
/** Servers run as users of their own and pass through to their folders. They cannot list. */
const PASSING = 0o711
const CLOSED = 0o700
/** What Convoy's processes make is closed to other users of the machine. */
const UMASK = 0o077
/** A stack in containers keeps its settings here. */
const NEIGHBOURS = ['compose']

const isRoot = () => process.getuid?.() === 0

/** For root's checkout: its own files may be closed to the users that the servers run as. */
export function dataFolderOf(checkout: string): string | undefined {
  if (!isRoot()) return undefined
  // Short: a Unix socket's path may have 107 bytes, and PostgreSQL's lie below.
  const name = createHash('sha256').update(resolve(checkout)).digest('hex').slice(0, 8)
  return join('/var/lib/convoy', name)
}

/** Whether a system keeps, or kept, its things there. */
export const isFolder = (root: string): boolean => DATA.every(name => existsSync(join(root, name)))

/**
 * @param data where the servers' data lies, when not in `root` itself
 * @throws UserError where `root` holds somebody else's things
 */
export function openFolder(root: string, data: string | undefined): Folder {
  const home = data ?? root
  const make = () => {
    for (const dir of new Set([root, home])) {
      mkdirSync(dir, { recursive: true })
      chmodSync(dir, PASSING)
    }
    for (const name of DATA) {
      const dir = join(home, name)
      mkdirSync(dir, { recursive: true })
      chmodSync(dir, name === 'workers' ? PASSING : CLOSED)
    }
    if (home === root) return
    bring(join(root, SECRETS), join(home, SECRETS))
    for (const name of [...DATA, SECRETS]) linkTo(join(home, name), join(root, name))
  }
  const empty = () => {
    for (const dir of new Set([root, home])) {
      for (const name of MADE) rmSync(join(dir, name), { recursive: true, force: true })
    }
  }
  refuseForeign(root)
  process.umask(UMASK) // Of this process, and of all that it starts.
  make()
  return {
    root,
    logs: join(root, 'logs'),
    pids: join(root, 'pids'),
    rabbitMq: join(home, 'rabbitmq'),
    zooKeeper: join(home, 'zookeeper'),
    workers: join(home, 'workers'),
    tls: join(root, 'tls'),
    secretsFile: join(home, SECRETS),
    runFile: join(root, 'run.json'),
    empty() {
      empty()
      make()
    },
    remove() {
      empty()
      for (const name of STARTER_LOG) rmSync(join(root, name), { force: true })
      for (const dir of new Set([root, home])) {
        if (readdirSync(dir).length === 0) rmdirSync(dir)
      }
    }
  }
}

/** Its things would lie among ours, and some of them could have names that ours have. */
function refuseForeign(root: string): void {
  if (!existsSync(root) || isFolder(root)) return
  const known = [...MADE, ...STARTER_LOG, ...NEIGHBOURS]
  const other = readdirSync(root).find(name => !known.includes(name))
  if (other === undefined) return
  throw new UserError(
    `${root} is no folder of Convoy's: it holds ${other}. Name another folder, or a new one`
  )
}

/** Earlier versions kept the secrets in the checkout. */
function bring(from: string, to: string): void {
  if (!lstatSync(from, { throwIfNoEntry: false })?.isFile()) return
  if (!existsSync(to)) copyFileSync(from, to)
  unlinkSync(from)
}

function linkTo(target: string, link: string): void {
  // Only a link: a folder would be somebody's data.
  if (lstatSync(link, { throwIfNoEntry: false })?.isSymbolicLink()) unlinkSync(link)
  symlinkSync(target, link)
}

/** Gives a folder and all in it to the system user that a server runs as. */
export function giveTo(user: string, dir: string): void {
  const { uid, gid } = accountOf(user)
  for (const name of ['', ...readdirSync(dir, { encoding: 'utf8', recursive: true })]) {
    lchownSync(join(dir, name), uid, gid)
  }
}

/** @throws ConfigError when there is no such user */
export function accountOf(user: string): { uid: number; gid: number } {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find(entry => entry.startsWith(`${user}:`))
  if (line === undefined) throw new ConfigError(`no system user is called ${user}`)
  const [, , uid, gid] = line.split(':')
  return { uid: Number(uid), gid: Number(gid) }
}
