/**
 * What the machine under this worker could still do, for the scaling policy `load`. The
 * kernel's boot id tells machines apart: containers on one machine share it.
 */
import { readFileSync } from 'node:fs'
import { availableParallelism, cpus } from 'node:os'
import type { MachineFigures } from '../wire/znodes.ts'

const TICKS_PER_S = 100

/**
 * @param inContainer a container's own CPU limit says nothing about the machine
 * @returns a function that gives the figures since its last call; undefined outside Linux
 */
export function openMachine(inContainer: boolean): () => MachineFigures | undefined {
  const id = readOrEmpty('/proc/sys/kernel/random/boot_id').trim()
  const cores = inContainer ? cpus().length : availableParallelism()
  let before = { atMs: performance.now(), idleTicks: idleTicks() }
  return () => {
    const after = { atMs: performance.now(), idleTicks: idleTicks() }
    const seconds = Math.max(0.001, (after.atMs - before.atMs) / 1_000)
    const idle = (after.idleTicks - before.idleTicks) / TICKS_PER_S / seconds
    before = after
    if (id === '' || !Number.isFinite(idle)) return undefined
    const idleCores = Math.min(cores, Math.max(0, idle))
    return { id, cores, idleCores: Math.round(100 * idleCores) / 100 }
  }
}

/** Time in which a core had nothing to do, waiting for disks included. */
function idleTicks(): number {
  const [total = ''] = readOrEmpty('/proc/stat').split('\n')
  const [, , , , idle, ioWait] = total.split(/\s+/)
  return Number(idle) + Number(ioWait ?? 0)
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
