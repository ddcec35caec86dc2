/**
 * Writes with idempotency keys, each of which is sent again: at once while its outcome is
 * open, and at any later time within the time that is promised. The table takes a key
 * twice, so that what is executed twice is seen.
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { Agent } from 'undici'
import { bearerOf, type Orchestrator, write } from '../../../testing/cluster/database.ts'
import { Dice } from '../../../testing/random.ts'
import { ask, type Judge } from './ask.ts'
import { Ledger } from './ledger.ts'

/** Of the ten minutes that a key is promised to be known. */
const AGE_MAX_MS = 480_000
const PATIENCE_MS = 10_000
const RETRY_MS = 200
const CONNECTIONS = 32

export interface KeyedOptions {
  readonly cluster: Orchestrator
  readonly orchestrators: readonly string[]
  readonly judge: Judge
  readonly seed: number
}

export class Keyed {
  readonly ledger = new Ledger()
  readonly #options: KeyedOptions
  readonly #agent = new Agent({ connections: CONNECTIONS })
  readonly #dice: Dice
  readonly #sent: string[] = []
  #asked = 0

  constructor(options: KeyedOptions) {
    this.#options = options
    this.#dice = new Dice(options.seed + 1)
  }

  async prepare(): Promise<void> {
    const sql = `create table if not exists combined_keys (
      id bigint generated always as identity primary key, key text not null, n int not null)`
    await write(this.#options.cluster, { sql })
    const index = 'create index if not exists combined_keys_key on combined_keys (key)'
    await write(this.#options.cluster, { sql: index })
  }

  /** New keys and old ones in turn, `perS` of them. Resolves when `ended`. */
  async steadily(perS: number, ended: AbortSignal): Promise<void> {
    const open = new Set<Promise<void>>()
    while (!ended.aborted) {
      await sleep(1_000 / perS)
      if (open.size >= CONNECTIONS) continue
      const one = this.#turn().finally(() => open.delete(one))
      open.add(one)
    }
    await Promise.all(open)
  }

  /** So many new keys, as fast as they are taken. */
  async burst(keys: number, ended: AbortSignal): Promise<void> {
    let left = keys
    const run = async () => {
      while (left > 0 && !ended.aborted) {
        left -= 1
        await this.#fresh()
      }
    }
    await Promise.all(Array.from({ length: CONNECTIONS }, run))
  }

  /** Settles what is open, and sends all once more that may be sent. */
  async settle(withinMs: number): Promise<void> {
    const deadline = performance.now() + withinMs
    const left = [...this.#sent]
    const run = async () => {
      for (let key = left.pop(); key !== undefined; key = left.pop()) {
        if (performance.now() > deadline) return
        if (this.#isPromised(key)) await this.#send(key)
      }
    }
    await Promise.all(Array.from({ length: CONNECTIONS }, run))
    await this.#agent.close()
  }

  async #turn(): Promise<void> {
    const old = this.#sent[this.#dice.between(0, Math.max(0, this.#sent.length - 1))]
    if (old === undefined || this.#dice.chance(0.5)) return this.#fresh()
    if (this.#isPromised(old)) await this.#send(old)
  }

  async #fresh(): Promise<void> {
    const key = randomUUID()
    this.#sent.push(key)
    const { status } = await this.#send(key)
    if (status === 200) return
    await sleep(RETRY_MS)
    await this.#send(key)
  }

  #isPromised(key: string): boolean {
    return this.ledger.ageMs(key, performance.now()) < AGE_MAX_MS
  }

  async #send(key: string) {
    const { orchestrators, judge, cluster } = this.#options
    const url = orchestrators[this.#asked++ % orchestrators.length] as string
    const sql = 'insert into combined_keys (key, n) values ($1, 1) returning id, key, n'
    this.ledger.sends(key, performance.now())
    const told = await ask({
      ...{ url, path: '/api/v1/db/write', pool: this.#agent, judge, patienceMs: PATIENCE_MS },
      body: { statements: [{ sql, params: [key] }] },
      headers: { ...bearerOf(cluster), 'idempotency-key': key }
    })
    this.ledger.told(key, told)
    return told
  }
}
