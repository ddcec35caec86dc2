/**
 * Who is at the other end of a connection on loopback: Linux tells the socket's inode in
 * /proc/net/tcp, and whose it is in /proc/<pid>/fd.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { basename } from 'node:path'

const PROGRAM = /\/(orchestrator|users-api|rides-api|lb)\/main\.ts/

/**
 * The party that holds the connection from `fromPort` to `toPort` on 127.0.0.1: a worker by
 * the name of its folder, which its successors share; another program by its own name.
 * Undefined for everybody else, and for a process that has ended already.
 */
export function partyOf(fromPort: number, toPort: number): string | undefined {
  const inode = inodeOf(fromPort, toPort)
  const pid = inode === undefined ? undefined : holderOf(inode)
  return pid === undefined ? undefined : nameOf(pid)
}

function inodeOf(fromPort: number, toPort: number): string | undefined {
  const [from, to] = [fromPort, toPort].map(hex => `0100007F:${hexOf(hex)}`)
  for (const line of readFileSync('/proc/net/tcp', 'utf8').split('\n')) {
    const fields = line.trim().split(/\s+/)
    // One that its holder has closed already has none any more.
    if (fields[1] === from && fields[2] === to) return fields[9] === '0' ? undefined : fields[9]
  }
  return undefined
}

const hexOf = (port: number): string => port.toString(16).toUpperCase().padStart(4, '0')

/**
 * Who held one holds the next, mostly. To look through all processes of a busy machine
 * takes so long that, when all connect again at once, they give up before it is their turn.
 */
const holders = new Set<number>()

function holderOf(inode: string): number | undefined {
  for (const pid of holders) {
    if (holds(pid, inode)) return pid
    if (!isNode(pid)) holders.delete(pid) // It ended.
  }
  const pids = readdirSync('/proc').map(Number).filter(Number.isInteger)
  const found = pids.find(pid => !holders.has(pid) && isNode(pid) && holds(pid, inode))
  if (found !== undefined) holders.add(found)
  return found
}

const isNode = (pid: number): boolean => linkOf(`/proc/${pid}/exe`)?.endsWith('/node') === true

function holds(pid: number, inode: string): boolean {
  try {
    const fds = readdirSync(`/proc/${pid}/fd`)
    return fds.some(fd => linkOf(`/proc/${pid}/fd/${fd}`) === `socket:[${inode}]`)
  } catch {
    return false // It ended.
  }
}

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path)
  } catch {
    return undefined
  }
}

function nameOf(pid: number): string | undefined {
  try {
    const settings = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0')
    const dir = settings.find(setting => setting.startsWith('CONVOY_WORKER_DIR='))
    if (dir !== undefined) return basename(dir)
    return PROGRAM.exec(readFileSync(`/proc/${pid}/cmdline`, 'utf8'))?.[1]
  } catch {
    return undefined
  }
}
