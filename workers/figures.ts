/**
 * What a worker costs and does, for `cluster` and the scaling policies: its own
 * process and its PostgreSQL together, over the time since the last call.
 */
import { readFileSync } from 'node:fs'
import type { WorkerFigures } from '../platform/wire/znodes.ts'

const TICKS_PER_S = 100
const PAGE_MIB = 4096 / 1024 / 1024

interface Sample {
  readonly atMs: number
  readonly cpuTicks: number
  readonly reads: number
}

/** @returns a function that gives the figures since its last call */
export function openFigures(
  postgresPid: number
): (now: { applied: number; reads: number }) => WorkerFigures {
  let before: Sample = { atMs: performance.now(), cpuTicks: 0, reads: 0 }
  return ({ applied, reads }) => {
    const usage = usageOf([process.pid, postgresPid, ...childrenOf(postgresPid)])
    const after: Sample = { atMs: performance.now(), cpuTicks: usage.cpuTicks, reads }
    const seconds = Math.max(0.001, (after.atMs - before.atMs) / 1_000)
    const cpuS = Math.max(0, after.cpuTicks - before.cpuTicks) / TICKS_PER_S
    const figures = {
      applied,
      readsPerS: Math.round((reads - before.reads) / seconds),
      cpuPercent: Math.round((100 * cpuS) / seconds),
      memoryMiB: Math.round(usage.memoryMiB)
    }
    before = after
    return figures
  }
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
