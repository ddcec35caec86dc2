/**
 * What a worker costs and does, for `cluster` and the scaling policies: its own
 * process and its PostgreSQL together, over the time since the last call.
 */
import { readFileSync } from 'node:fs'
import type { WorkerFigures } from '../wire/znodes.ts'
import { openMachine } from './machine.ts'

const TICKS_PER_S = 100
const PAGE_MIB = 4096 / 1024 / 1024

interface Sample {
  readonly atMs: number
  readonly cpuTicks: number
  readonly reads: number
  readonly readingMs: number
}

interface Done {
  readonly applied: number
  readonly reads: number
  readonly reading: { readonly busyMs: number; readonly connections: number }
}

/** @returns a function that gives the figures since its last call */
export function openFigures(
  postgresPid: number,
  { inContainer }: { readonly inContainer: boolean }
): (now: Done) => WorkerFigures {
  const machine = openMachine(inContainer)
  let before: Sample = { atMs: performance.now(), cpuTicks: 0, reads: 0, readingMs: 0 }
  return ({ applied, reads, reading }) => {
    const usage = usageOf([process.pid, postgresPid, ...childrenOf(postgresPid)])
    const after: Sample = {
      atMs: performance.now(),
      cpuTicks: usage.cpuTicks,
      reads,
      readingMs: reading.busyMs
    }
    const seconds = Math.max(0.001, (after.atMs - before.atMs) / 1_000)
    const cpuS = Math.max(0, after.cpuTicks - before.cpuTicks) / TICKS_PER_S
    const cpuPercent = (100 * cpuS) / seconds
    const readers = Math.max(0, after.readingMs - before.readingMs) / 1_000 / seconds
    const under = machine()
    const figures = {
      applied,
      readsPerS: Math.round((reads - before.reads) / seconds),
      cpuPercent: Math.round(cpuPercent),
      memoryMiB: Math.round(usage.memoryMiB),
      readLoadPercent: readLoad({ cpuPercent, readers, connections: reading.connections }),
      ...(under && { machine: under })
    }
    before = after
    return figures
  }
}

/**
 * Applying the log takes CPU too, and another replica would not take any of that away: no
 * more counts than the connections that were reading can have used.
 */
export function readLoad(seen: {
  readonly cpuPercent: number
  /** Mean number of connections at work. */
  readonly readers: number
  readonly connections: number
}): number {
  const ofCore = Math.min(seen.cpuPercent, 100 * seen.readers)
  const ofConnections = (100 * seen.readers) / Math.max(1, seen.connections)
  return Math.round(Math.max(ofCore, ofConnections))
}

/** Shared memory is counted once, as far as the kernel's resident figures tell it apart. */
function usageOf(pids: readonly number[]): { cpuTicks: number; memoryMiB: number } {
  let cpuTicks = 0
  let memoryMiB = 0
  for (const pid of pids) {
    const stat = readOrEmpty(`/proc/${pid}/stat`)
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    cpuTicks += Number(fields[11] ?? 0) + Number(fields[12] ?? 0)
    const [, resident = 0, shared = 0] = readOrEmpty(`/proc/${pid}/statm`).split(' ').map(Number)
    memoryMiB += Math.max(0, resident - shared) * PAGE_MIB
  }
  return { cpuTicks, memoryMiB }
}

function childrenOf(pid: number): readonly number[] {
  return readOrEmpty(`/proc/${pid}/task/${pid}/children`).trim().split(' ').map(Number)
}

/** A process may end between the list and the look. */
function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
