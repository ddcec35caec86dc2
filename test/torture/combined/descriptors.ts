/**
 * File descriptors of running processes run out: their limit becomes what they have open.
 */
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { sep } from 'node:path'

const LIMIT = /^Max open files +(\d+)/m

/** @param root of the system: what was started there meanwhile has inherited the limit. @returns what ends it */
export function exhaust(pids: readonly number[], root: string): () => void {
  const before = new Map<number, number>()
  for (const pid of pids) {
    const limit = limitOf(pid)
    const open = openOf(pid)
    if (limit === undefined || open === undefined) continue
    before.set(pid, limit)
    setLimit(pid, open)
  }
  const most = Math.max(...before.values())
  return () => {
    for (const pid of [...before.keys(), ...processesBelow(root)]) {
      const limit = limitOf(pid)
      if (limit !== undefined && limit < most) setLimit(pid, before.get(pid) ?? most)
    }
  }
}

function setLimit(pid: number, soft: number): void {
  try {
    execFileSync('prlimit', ['--pid', String(pid), `--nofile=${soft}:`], { stdio: 'pipe' })
  } catch {
    // It has ended meanwhile.
  }
}

function limitOf(pid: number): number | undefined {
  return tried(() => {
    const [, soft] = LIMIT.exec(readFileSync(`/proc/${pid}/limits`, 'utf8')) ?? []
    return soft === undefined ? undefined : Number(soft)
  })
}

const openOf = (pid: number): number | undefined =>
  tried(() => Math.max(...readdirSync(`/proc/${pid}/fd`).map(Number)) + 1)

function processesBelow(root: string): number[] {
  const pids = readdirSync('/proc').map(Number).filter(Number.isInteger)
  return pids.filter(pid => {
    const cwd = tried(() => readlinkSync(`/proc/${pid}/cwd`)) ?? ''
    return cwd === root || cwd.startsWith(root + sep)
  })
}

function tried<T>(look: () => T): T | undefined {
  try {
    return look()
  } catch {
    return undefined
  }
}
