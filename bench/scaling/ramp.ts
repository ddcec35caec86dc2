/**
 * A load of reads that climbs in steps and comes down again, by autocannon, and what
 * became of each read.
 */
import { setInterval } from 'node:timers'
import autocannon from 'autocannon'
import { quantile } from '../load/figures.ts'
import type { Client } from './client.ts'

const CONNECTIONS = 10
const TIMEOUT_S = 10
const LOOK_MS = 500
const ROWS = 1_000
const SECOND_MS = 1_000

export interface RampOptions {
  readonly client: Client
  /** Reads per second, one step after the other. */
  readonly steps: readonly number[]
  readonly stepS: number
  readonly stopped: AbortSignal
}

/** One second of the load. */
export interface LoadSecond {
  readonly second: number
  readonly answeredPerS: number
  readonly p50Ms: number
  readonly p99Ms: number
}

export interface ReplicasSeen {
  readonly second: number
  readonly wanted: number
  readonly serving: number
  readonly reason: string | null
}

export interface Ramp {
  /** What was asked from then on. */
  readonly asked: readonly { readonly second: number; readonly perS: number }[]
  readonly load: readonly LoadSecond[]
  readonly replicas: readonly ReplicasSeen[]
  /** Reads that were answered other than 200, or not at all. */
  readonly failed: number
  readonly answered: number
}

/** From `least` to `most` and back, each step `by` more or less. */
export function upAndDown(least: number, most: number, count: number): number[] {
  const up = Array.from({ length: count }, (_, i) => least + ((most - least) * i) / (count - 1))
  return [...up, ...up.toReversed().slice(1)].map(Math.round)
}

export async function runRamp({ client, steps, stepS, stopped }: RampOptions): Promise<Ramp> {
  const startedAtMs = performance.now()
  const secondOf = (atMs: number) => (atMs - startedAtMs) / SECOND_MS
  const asked: { second: number; perS: number }[] = []
  const latencies: number[][] = []
  let failed = 0
  const followed = follow(client, secondOf)
  try {
    for (const perS of steps) {
      asked.push({ second: secondOf(performance.now()), perS })
      await fire({ client, perS, seconds: stepS, stopped }, (ms, ok) => {
        const second = Math.floor(secondOf(performance.now()))
        latencies[second] ??= []
        if (ok) latencies[second].push(ms)
        else failed += 1
      })
    }
  } finally {
    clearInterval(followed.timer)
  }
  // The last second is not a whole one.
  const load = Array.from({ length: latencies.length - 1 }, (_, second) => ({
    second,
    ...figuresOf(latencies[second] ?? [])
  }))
  const answered = latencies.reduce((sum, of = []) => sum + of.length, 0)
  return { asked, load, replicas: followed.seen, failed, answered }
}

function figuresOf(latencies: readonly number[]) {
  const sorted = Float64Array.from(latencies).sort()
  return {
    answeredPerS: sorted.length,
    p50Ms: sorted.length === 0 ? 0 : quantile(sorted, 0.5),
    p99Ms: sorted.length === 0 ? 0 : quantile(sorted, 0.99)
  }
}

function follow(client: Client, secondOf: (atMs: number) => number) {
  const seen: ReplicasSeen[] = []
  const look = async () => {
    const { inSync, replicas, policy } = await client.cluster()
    seen.push({
      second: secondOf(performance.now()),
      wanted: replicas.wanted,
      serving: inSync.length - 1,
      reason: policy.decision?.reason ?? null
    })
  }
  // One that fails is a gap in the line.
  const timer = setInterval(() => void look().catch(() => {}), LOOK_MS)
  return { seen, timer }
}

interface Fire {
  readonly client: Client
  readonly perS: number
  readonly seconds: number
  readonly stopped: AbortSignal
}

async function fire(
  { client, perS, seconds, stopped }: Fire,
  tell: (ms: number, ok: boolean) => void
): Promise<void> {
  stopped.throwIfAborted()
  await new Promise<void>((resolve, reject) => {
    const cannon = autocannon(optionsOf({ client, perS, seconds }), err => {
      stopped.removeEventListener('abort', stop)
      if (err || stopped.aborted) reject(err ?? stopped.reason)
      else resolve()
    })
    const stop = () => cannon.stop()
    stopped.addEventListener('abort', stop, { once: true })
    cannon.on('reqError', () => tell(0, false))
    cannon.on('response', (_client, status, _bytes, ms) => tell(ms, status === 200))
  })
}

function optionsOf({ client, perS, seconds }: Omit<Fire, 'stopped'>): autocannon.Options {
  return {
    url: client.url,
    connections: CONNECTIONS,
    overallRate: perS,
    duration: seconds,
    timeout: TIMEOUT_S,
    requests: Array.from({ length: 100 }, (_, i) => ({
      method: 'POST' as const,
      path: '/api/v1/db/read',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        sql: 'select *, now() from scaled where id = $1', // so that replicas answer it
        params: [1 + ((i * 97) % ROWS)]
      })
    }))
  }
}

export async function fillTable(client: Client): Promise<void> {
  await client.write(
    'create table scaled (id bigint generated always as identity primary key, body text not null)'
  )
  await client.write(
    `insert into scaled (body) select md5(i::text) from generate_series(1, ${ROWS}) i`
  )
}
