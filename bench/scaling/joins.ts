/**
 * How long it takes from the decision that there is to be one more replica to the first
 * read that it answers, with reads going on all the time.
 */
import { until } from '../../testing/wait.ts'
import type { Client } from './client.ts'

const WITHIN = { withinMs: 300_000 }
const READERS = 4

/** @returns milliseconds, of each time */
export async function measureJoins(
  client: Client,
  { times, stopped }: { times: number; stopped: AbortSignal }
): Promise<number[]> {
  const { workers } = await client.cluster()
  const replicas = workers.length - 1
  const tookMs: number[] = []
  for (let time = 0; time < times; time++) {
    stopped.throwIfAborted()
    tookMs.push(await oneMore(client, replicas + 1))
    await client.setReplicas({ count: replicas })
    await settled(client, replicas)
  }
  return tookMs
}

export const settled = (client: Client, replicas: number) =>
  until(`${replicas} replicas`, WITHIN, async () => {
    const { inSync, workers } = await client.cluster()
    const whole = inSync.length === replicas + 1 && workers.length === replicas + 1
    return whole || undefined
  })

async function oneMore(client: Client, count: number): Promise<number> {
  const known = new Set((await client.cluster()).workers.map(({ id }) => id))
  const startedAtMs = performance.now()
  await client.setReplicas({ count })
  let served = false
  const reader = async () => {
    while (!served) served ||= !known.has(await client.read('select now()'))
  }
  await Promise.all(Array.from({ length: READERS }, reader))
  return performance.now() - startedAtMs
}
