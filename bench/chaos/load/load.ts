/**
 * Requests at a fixed rate, whatever becomes of those before (an open loop): a quarter
 * each are writes and reads at the orchestrators, writes and reads through lb. A client
 * that waits keeps waiting, and another one asks in its place.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Agent } from 'undici'
import { NO_SCHEMA, opening, SCHEMA } from '../../../testing/clients/models.ts'
import { Objects } from '../../../testing/clients/objects.ts'
import { Session } from '../../../testing/clients/session.ts'
import type { Operation } from '../../../testing/history/history.ts'
import { Dice } from '../../../testing/random.ts'
import { until } from '../../../testing/wait.ts'
import type { Doors } from '../targets/target.ts'
import { type Ask, Client } from './client.ts'
import {
  type Asked,
  type Door,
  type DoorName,
  lbDoor,
  orchestratorDoor,
  readObject,
  readRides
} from './doors.ts'
import { Rides } from './rides.ts'

const PASSWORD = 'a94a8fe5ccb19ba61c4c0873d391e987982fbbd3'
/** Reads of all objects at the end, at a time. */
const READING = 8
const READ_MS = 60_000
/** A list of rides may be so old. */
export const READ_AGE_MS = 1_100

export type Kind = 'write' | 'read'

/** What became of one request, as far as figures go. */
export interface Answer {
  readonly door: DoorName
  readonly kind: Kind
  readonly askedAtMs: number
  readonly atMs: number
  readonly ok: boolean
  /** Answers, or failures, after which it was sent again. */
  readonly sentAgain: readonly string[]
  /** Of one that failed. */
  readonly error: string | null
}

export interface LoadOptions {
  readonly doors: Doors
  readonly perS: number
  readonly seed: number
  /** Of this run: tables and users may be there of earlier ones. */
  readonly name: string
}

export class Load {
  readonly #options: LoadOptions
  readonly #agent = new Agent({ headersTimeout: 0, bodyTimeout: 0 })
  readonly #objects: Objects
  readonly #rides: Rides
  readonly #doors: Readonly<Record<DoorName, Door>>
  readonly #idle: Record<DoorName, { client: Client; session: Session }[]> = {
    orchestrator: [],
    lb: []
  }
  readonly #history: Operation[] = []
  readonly #answers: Answer[] = []
  readonly #underWay = new Set<Promise<void>>()
  readonly #stopped = new AbortController()
  #clients = 0
  #arriving: Promise<void> = Promise.resolve()

  constructor(options: LoadOptions) {
    this.#options = options
    this.#objects = new Objects(`${options.name} `)
    this.#rides = new Rides(options.name)
    const dice = new Dice(options.seed)
    this.#doors = {
      orchestrator: orchestratorDoor(this.#objects, dice),
      lb: lbDoor(this.#rides, dice)
    }
  }

  get history(): readonly Operation[] {
    return this.#history
  }

  /** In the order in which they came. */
  get answers(): readonly Answer[] {
    return this.#answers
  }

  /** Tables, a user, and then requests. */
  async start(): Promise<void> {
    for (const statement of SCHEMA) await this.#write(statement)
    for (const { model, key } of this.#objects.all) {
      for (const statement of opening(model, key)) await this.#write(statement)
    }
    const body = { username: this.#rides.user, password: PASSWORD }
    await this.#done('lb', { method: 'PUT', path: '/api/v1/users', body, key: this.#options.name })
    this.#arriving = this.#arrive()
  }

  /** Resolves when, of what is asked from now on, each kind was answered at each door. */
  async goesOn(withinMs: number): Promise<void> {
    const fromMs = performance.now()
    await until('clients to be answered', { withinMs }, () => {
      const recent = this.#answers.slice(-4 * this.#options.perS)
      const fine = recent.filter(({ askedAtMs, ok }) => ok && askedAtMs >= fromMs)
      const kinds = new Set(fine.map(({ door, kind }) => `${door} ${kind}`))
      return kinds.size === 4 ? true : undefined
    })
  }

  /** Resolves when all that was asked is answered, or given up. */
  async stop(): Promise<void> {
    this.#stopped.abort()
    await this.#arriving
    await Promise.all(this.#underWay)
  }

  /** Reads everything once more: the end of the history. @throws Error when one is not answered */
  async readAll(): Promise<readonly Operation[]> {
    await sleep(2 * READ_AGE_MS) // what is read through lb is to show all of it
    const session = new Session('the end')
    const [database, gateway] = [this.#client('orchestrator'), this.#client('lb')]
    const reads = [
      ...this.#objects.all.map(object => () => {
        return readObject(database, session, { object, consistency: 'strong' })
      }),
      ...this.#rides.all.map(way => () => {
        return readRides(gateway, session, { rides: this.#rides, way })
      })
    ]
    const last: Operation[] = []
    const some = async () => {
      for (let read = reads.pop(); read !== undefined; read = reads.pop()) {
        last.push(await answered(read))
      }
    }
    await Promise.all(Array.from({ length: READING }, some))
    this.#history.push(...last)
    return last
  }

  /** Takes away what it has left in a system that goes on. */
  async clearAway(): Promise<void> {
    for (const statement of NO_SCHEMA) await this.#write(statement)
    const path = `/api/v1/users/${this.#rides.user}`
    await this.#done('lb', { method: 'DELETE', path, key: `${this.#options.name}-end` })
  }

  async close(): Promise<void> {
    await this.#agent.destroy()
  }

  async #arrive(): Promise<void> {
    const everyMs = 1_000 / this.#options.perS
    const startMs = performance.now()
    const { signal } = this.#stopped
    for (let n = 0; !signal.aborted; ) {
      const due = Math.floor((performance.now() - startMs) / everyMs)
      while (n <= due) this.#ask(n++)
      const waitMs = startMs + n * everyMs - performance.now()
      await sleep(Math.max(1, waitMs), undefined, { signal }).catch(() => {})
    }
  }

  #ask(n: number): void {
    const door: DoorName = n % 2 === 0 ? 'orchestrator' : 'lb'
    const kind: Kind = n % 4 < 2 ? 'write' : 'read'
    const one = this.#one(door, kind).finally(() => this.#underWay.delete(one))
    this.#underWay.add(one)
  }

  async #one(door: DoorName, kind: Kind): Promise<void> {
    const who = this.#idle[door].pop() ?? this.#newcomer(door)
    const { operation, attempts } = await this.#doors[door][kind](who.client, who.session)
    this.#idle[door].push(who)
    this.#history.push(operation)
    this.#answers.push(answerOf({ door, kind }, { operation, attempts }))
  }

  #newcomer(door: DoorName) {
    const session = new Session(`${door} ${this.#clients++}`)
    return { client: this.#client(door), session }
  }

  #client(door: DoorName): Client {
    const { lb, orchestrators, token } = this.#options.doors
    // Clients that know the same addresses begin with different ones.
    const turned = this.#clients % orchestrators.length
    const origins = [...orchestrators.slice(turned), ...orchestrators.slice(0, turned)]
    const bearer = token === undefined ? {} : { authorization: `Bearer ${token}` }
    return new Client({
      origins: door === 'lb' ? [lb] : origins,
      headers: door === 'lb' ? {} : bearer,
      dispatcher: this.#agent
    })
  }

  async #write(statement: object): Promise<void> {
    const body = { statements: [statement] }
    const key = `${this.#options.name}-${crypto.randomUUID()}`
    await this.#done('orchestrator', { method: 'POST', path: '/api/v1/db/write', body, key })
  }

  /** @throws Error with what was answered */
  async #done(door: DoorName, asked: Ask): Promise<void> {
    const last = (await this.#client(door).ask(asked)).at(-1)
    if (last !== undefined && last.status >= 200 && last.status < 300) return
    throw new Error(`${asked.method} ${asked.path}: ${JSON.stringify(last)}`)
  }
}

async function answered(read: () => Promise<Asked>): Promise<Operation> {
  return until('all to be read once more', { withinMs: READ_MS }, async () => {
    const { operation } = await read()
    return operation.outcome === 'ok' ? operation : undefined
  })
}

function answerOf(
  as: { readonly door: DoorName; readonly kind: Kind },
  { operation, attempts }: Asked
): Answer {
  const causes = attempts.map(({ status, code }) => (status === 0 ? code : `${status} ${code}`))
  const isOk = operation.outcome === 'ok' || operation.outcome === 'rejected'
  return {
    ...as,
    ...{ askedAtMs: operation.beginMs, atMs: performance.now(), ok: isOk },
    sentAgain: causes.slice(0, -1),
    error: isOk ? null : `${as.kind} at ${as.door}: ${causes.at(-1)}`
  }
}
