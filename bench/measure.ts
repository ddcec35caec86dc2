/**
 * One measurement: some connections, each of which asks again as soon as it has its
 * answer, for some seconds. Latencies are kept one by one, for autocannon's own
 * histogram counts in whole milliseconds.
 */
import autocannon from 'autocannon'
import type { Contestant } from './contestants/contestant.ts'
import { quantile } from './load/figures.ts'
import { type Random, randomOf } from './load/random.ts'
import type { Workload } from './workloads.ts'

export interface Measurement {
  readonly perS: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly requests: number
  /** Answers other than 2xx, and requests without one. */
  readonly failed: number
}

export interface Run {
  readonly contestant: Contestant
  readonly workload: Workload
  readonly connections: number
  readonly seconds: number
  /** The same seed asks for the same. */
  readonly seed: number
}

/**
 * Built before the clock starts, more than are answered: a connection that began again with its
 * first one would ask for what a cache has.
 */
const REQUESTS_PER_S = { ofAll: 20_000, ofOne: 5_000 }
const TIMEOUT_S = 10
/** How exactly autocannon keeps the end. */
const SAMPLE_MS = 50

/** @throws Error when `stopped` is aborted, or before it begins when it was */
export async function measure(run: Run, stopped: AbortSignal): Promise<Measurement> {
  stopped.throwIfAborted()
  const random = randomOf(run.seed)
  const latencies: number[] = []
  let failed = 0
  let startedMs = performance.now()
  let lastMs = startedMs
  await new Promise<void>((resolve, reject) => {
    const cannon = autocannon(optionsOf(run, random), err => {
      stopped.removeEventListener('abort', stop)
      if (err || stopped.aborted) reject(err ?? stopped.reason)
      else resolve()
    })
    const stop = () => cannon.stop()
    stopped.addEventListener('abort', stop, { once: true })
    cannon.on('start', () => {
      startedMs = performance.now()
    })
    cannon.on('reqError', () => failed++)
    cannon.on('response', (_client, statusCode, _bytes, latencyMs) => {
      if (statusCode >= 200 && statusCode < 300) latencies.push(latencyMs)
      else failed++
      lastMs = performance.now()
    })
  })
  const sorted = Float64Array.from(latencies).sort()
  return {
    perS: sorted.length / ((lastMs - startedMs) / 1_000),
    p50Ms: quantile(sorted, 0.5),
    p99Ms: quantile(sorted, 0.99),
    requests: sorted.length,
    failed
  }
}

function optionsOf(run: Run, random: Random): autocannon.Options {
  const { contestant, workload, connections, seconds } = run
  const perS = Math.min(REQUESTS_PER_S.ofOne, REQUESTS_PER_S.ofAll / connections)
  const requests = Math.ceil(perS * seconds)
  return {
    url: contestant.doors[workload.door],
    connections,
    duration: seconds,
    timeout: TIMEOUT_S,
    sampleInt: SAMPLE_MS,
    // Each connection has its own: else all would ask for the same row at the same moment.
    setupClient: client =>
      client.setRequests(Array.from({ length: requests }, () => workload.request(random)))
  }
}
