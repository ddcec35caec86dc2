/**
 * A thread of many clients, each of which writes one row after the other until it is told to
 * stop. A client that is refused asks again with the same key, ten times as soon as it is asked
 * to: the crowd does not get smaller by being refused.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'
import { Agent, request } from 'undici'

export interface Order {
  readonly url: string
  readonly clients: number
  readonly bytes: number
  /** Differs between crowds. */
  readonly name: string
}

export interface Told {
  /** Of the answers with 200, from the first time that it was asked. */
  readonly tookMs: readonly number[]
  /** By status and code. */
  readonly answers: Readonly<Record<string, number>>
  readonly seconds: number
}

const TIMEOUT_MS = 30_000
const PAUSE_MS = 100
const ADDRESSES = 16
const SQL = 'insert into crowd (k, v) values ($1, $2)'

const { url, clients, bytes, name } = workerData as Order
const agents = Array.from({ length: ADDRESSES }, (_, i) => {
  const connections = Math.ceil(clients / ADDRESSES)
  return new Agent({ localAddress: `127.0.1.${i + 1}`, connections })
})
const value = JSON.stringify('x'.repeat(bytes))
const tookMs: number[] = []
const answers: Record<string, number> = {}
let stopped = false

async function write(key: string, dispatcher: Agent): Promise<string> {
  try {
    const reply = await request(`${url}/api/v1/db/write`, {
      method: 'POST',
      dispatcher,
      headers: { 'content-type': 'application/json', 'idempotency-key': key },
      body: `{"statements":[{"sql":"${SQL}","params":["${key}",${value}]}]}`,
      signal: AbortSignal.timeout(TIMEOUT_MS)
    })
    const text = await reply.body.text()
    const [, code = ''] = /"code":"(\w+)"/.exec(text.slice(0, 200)) ?? []
    return reply.statusCode === 200 ? '200' : `${reply.statusCode} ${code}`
  } catch (err) {
    return (err as { code?: string }).code ?? (err as Error).name
  }
}

async function client(c: number): Promise<void> {
  const agent = agents[c % ADDRESSES] as Agent
  for (let n = 0; !stopped; n++) {
    const askedAtMs = performance.now()
    for (let answer = ''; answer !== '200' && !stopped; ) {
      answer = await write(`${name}-${c}-${n}`, agent)
      answers[answer] = (answers[answer] ?? 0) + 1
      if (answer === '200') tookMs.push(performance.now() - askedAtMs)
      else await sleep(PAUSE_MS)
    }
  }
}

const startedAtMs = performance.now()
const all = Promise.all(Array.from({ length: clients }, (_, c) => client(c)))
parentPort?.once('message', () => {
  const seconds = (performance.now() - startedAtMs) / 1_000
  const told: Told = { tookMs: [...tookMs], answers: { ...answers }, seconds }
  stopped = true
  parentPort?.postMessage(told)
  void all.then(() => parentPort?.postMessage({ ...told, answers } satisfies Told))
})
