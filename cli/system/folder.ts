/**
 * Where one running system keeps its things: `.convoy/` of a checkout, or a
 * temporary folder of a test. Data of servers that run as another user lies where
 * that user can go, and is linked from here.
 */
import { createHash } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  lchownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync
} from 'node:fs'
import { join, resolve } from 'node:path'

export interface Folder {
  readonly root: string
  readonly logs: string
  readonly pids: string
  readonly rabbitMq: string
  readonly zooKeeper: string
  readonly workers: string
  readonly secretsFile: string
  readonly runFile: string
  /** Removes all of it. Nothing of the system may run. */
  remove(): void
}

const isRoot = () => process.getuid?.() === 0

/** For root's checkout: its own files may be closed to the users that the servers run as. */
export function dataFolderOf(checkout: string): string | undefined {
  if (!isRoot()) return undefined
  // Short: a Unix socket's path may have 107 bytes, and PostgreSQL's lie below.
  const name = createHash('sha256').update(resolve(checkout)).digest('hex').slice(0, 8)
  return join('/var/lib/convoy', name)
}

/** @param data where the servers' data lies, when not in `root` itself */
export function openFolder(root: string, data: string | undefined): Folder {
  // Passing through is allowed, reading is not.
  for (const dir of [root, ...(data === undefined ? [] : [data])]) {
    mkdirSync(dir, { recursive: true })
    chmodSync(dir, 0o711)
  }
  const place = (name: string) => {
    const dir = join(data ?? root, name)
    mkdirSync(dir, { recursive: true })
    const link = join(root, name)
    if (dir !== link && !existsSync(link)) {
      rmSync(link, { force: true }) // A link that leads nowhere.
      symlinkSync(dir, link)
    }
    return dir
  }
  return {
    root,
    logs: join(root, 'logs'),
    pids: join(root, 'pids'),
    rabbitMq: place('rabbitmq'),
    zooKeeper: place('zookeeper'),
    workers: place('workers'),
    secretsFile: join(root, 'secrets.json'),
    runFile: join(root, 'run.json'),
    remove() {
      for (const dir of [root, ...(data === undefined ? [] : [data])]) {
        rmSync(dir, { recursive: true, force: true })
      }
    }
  }
}

/** Gives a folder and all in it to the system user that a server runs as. */
export function giveTo(user: string, dir: string): void {
  const { uid, gid } = accountOf(user)
  for (const name of ['', ...readdirSync(dir, { encoding: 'utf8', recursive: true })]) {
    lchownSync(join(dir, name), uid, gid)
  }
}

export function accountOf(user: string): { uid: number; gid: number } {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find(entry => entry.startsWith(`${user}:`))
  if (line === undefined) throw new Error(`no system user is called ${user}`)
  const [, , uid, gid] = line.split(':')
  return { uid: Number(uid), gid: Number(gid) }
}
