/**
 * What something costs while clients write: how long it takes, the longest time without
 * an acknowledged write meanwhile, and the most memory that any process came to.
 */
import { setInterval } from 'node:timers'
import type { Load } from '../failover/load.ts'
import { memoryOf, type Processes } from '../profile/processes.ts'

const LOOK_MS = 500

export interface Cost {
  readonly name: string
  readonly tookMs: number
  readonly writeGapMs: number
  readonly writes: number
  readonly errors: number
  /** Of workers and services, each with what runs below it; the highest seen. */
  readonly peakBytes: Readonly<Record<string, number>>
}

export interface WatchOptions {
  readonly load: Load
  /** Asked again and again: workers come and go. */
  readonly processes: () => Promise<Processes>
}

/** Runs `work` and tells its cost. */
export async function costOf(
  name: string,
  { load, processes }: WatchOptions,
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
  const fromMs = performance.now()
  try {
    await work()
  } finally {
    clearInterval(timer)
  }
  const toMs = performance.now()
  const { writeGapMs, writes, errors } = load.seen({ fromMs, toMs })
  const peakBytes = Object.fromEntries(peak)
  return { name, tookMs: toMs - fromMs, writeGapMs, writes, errors: errors.length, peakBytes }
}
