/**
 * What something costs while clients write: how long it takes, the longest time without
 * an acknowledged write meanwhile, how long of that the disk may have stood still, and the
 * most memory that any process came to.
 */
import { setInterval } from 'node:timers'
import type { Load } from '../failover/load.ts'
import { memoryOf, type Processes } from '../profile/processes.ts'
import { DiskWatch } from './disk.ts'

const LOOK_MS = 500

export interface Cost {
  readonly name: string
  readonly tookMs: number
  readonly writeGapMs: number
  /** The disk's longest standstill; not there where nothing is known of it. */
  readonly diskStillMs?: number
  readonly writes: number
  readonly errors: number
  /** Of workers and services, each with what runs below it; the highest seen. */
  readonly peakBytes: Readonly<Record<string, number>>
}

export interface WatchOptions {
  readonly load: Load
  /** Where the databases lie. */
  readonly folder: string
  /** Asked again and again: workers come and go. */
  readonly processes: () => Promise<Processes>
}

/** Runs `work` and tells its cost. */
export async function costOf(
  name: string,
  { load, folder, processes }: WatchOptions,
  work: () => Promise<unknown>
): Promise<Cost> {
  const peak = new Map<string, number>()
  const look = async () => {
    for (const [process, bytes] of await memoryOf(await processes())) {
      peak.set(process, Math.max(bytes, peak.get(process) ?? 0))
    }
  }
  // One that fails is a sample less.
  const timer = setInterval(() => void look().catch(() => {}), LOOK_MS)
  using disk = new DiskWatch(folder)
  const fromMs = performance.now()
  try {
    await work()
  } finally {
    clearInterval(timer)
  }
  const toMs = performance.now()
  const { writeGapMs, writes, errors } = load.seen({ fromMs, toMs })
  const peakBytes = Object.fromEntries(peak)
  const still = disk.longestStandstillMs
  return {
    ...{ name, tookMs: toMs - fromMs, writeGapMs },
    ...(still === undefined ? {} : { diskStillMs: still }),
    ...{ writes, errors: errors.length, peakBytes }
  }
}
