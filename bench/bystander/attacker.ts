/**
 * A thread that attacks until it is told to stop: what it does must not slow down the
 * clients that are measured. Tells how often it was answered, by status and code.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { Agent, request } from 'undici'
import { ATTACKS } from './attacks.ts'

export interface Order {
  readonly url: string
  readonly attack: string
  /** Shares are counted by client address. */
  readonly from: string
}

const TIMEOUT_MS = 30_000
/** Of a client that is refused at once: it need not also exhaust the CPU of the machine. */
const PAUSE_MS = 50

const { url, attack: name, from } = workerData as Order
const attack = ATTACKS.find(one => one.name === name)
if (attack === undefined) throw new Error(`there is no attack ${name}`)
const body = attack.body()
const agent = new Agent({ localAddress: from, connections: attack.connections })
const answers: Record<string, number> = {}
let stopped = false

async function attackOnce(): Promise<string> {
  const headers = { 'content-type': 'application/json' }
  const signal = AbortSignal.timeout(TIMEOUT_MS)
  const target = `${url}${attack?.path}`
  try {
    const reply = await request(target, {
      method: 'POST',
      dispatcher: agent,
      headers,
      body,
      signal
    })
    const text = await reply.body.text()
    const code = /"code":"(\w+)"/.exec(text.slice(0, 200))?.[1]
    return code === undefined ? `${reply.statusCode}` : `${reply.statusCode} ${code}`
  } catch (err) {
    return (err as { code?: string }).code ?? (err as Error).name
  }
}

async function client(): Promise<void> {
  while (!stopped) {
    const answer = await attackOnce()
    answers[answer] = (answers[answer] ?? 0) + 1
    await new Promise(resolve => setTimeout(resolve, PAUSE_MS))
  }
}

for (let i = 0; i < attack.connections; i++) void client()
parentPort?.once('message', () => {
  stopped = true
  parentPort?.postMessage(answers)
  void agent.destroy()
})
