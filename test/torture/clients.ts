/**
 * Clients that change and read objects all the time, through all orchestrators in turn, one
 * request after the other, and remember what they were told. Every second one sends a
 * request again, with the same request id, until it is decided; the others take what
 * comes and go on.
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { Agent, request } from 'undici'
import { opening, READINGS, SCHEMA, statementsOf } from '../../testing/clients/models.ts'
import { type ObjectName, Objects } from '../../testing/clients/objects.ts'
import {
  type Attempt,
  isUnexpected,
  outcomeOfAll,
  REFUSED
} from '../../testing/clients/outcomes.ts'
import { Session } from '../../testing/clients/session.ts'
import { bearerOf, type Orchestrator, write } from '../../testing/cluster/database.ts'
import type { Action, Consistency, History, Operation } from '../../testing/history/history.ts'
import { Dice } from '../../testing/random.ts'
import { until } from '../../testing/wait.ts'

const PATIENCE_MS = { least: 500, most: 10_000 }
const RETRY_MS = 100
/** For a decision of what is open when the run ends. */
const SETTLED_MS = 60_000
const READS = 0.5
/** A read is asked so often in a row, at most: what is repeated, orchestrators keep. */
const REPEATED_MAX = 8
const CONSISTENCIES: readonly Consistency[] = ['replica', 'session', 'strong']

export interface ClientsOptions {
  readonly cluster: Orchestrator
  /** All of them; only the cluster's unless told. */
  readonly orchestrators?: readonly string[]
  readonly clients: number
  /** Requests of one client, at most. */
  readonly perS: number
  readonly seed: number
}

export class Clients {
  readonly objects = new Objects()
  readonly #options: ClientsOptions
  readonly #agent = new Agent()
  readonly #operations: Operation[] = []
  readonly #unexpected: string[] = []
  readonly #writtenAtMs: number[] = []
  readonly #readAtMs: number[] = []
  #running: Promise<void>[] = []
  #asked = 0
  #endedAtMs = Number.POSITIVE_INFINITY

  constructor(options: ClientsOptions) {
    this.#options = options
  }

  get history(): History {
    return this.#operations
  }

  /** Answers that no fault explains. */
  get unexpected(): readonly string[] {
    return this.#unexpected
  }

  /** When a write was acknowledged, and when a read was answered: ascending. */
  get answeredAtMs(): { readonly writes: readonly number[]; readonly reads: readonly number[] } {
    return { writes: this.#writtenAtMs, reads: this.#readAtMs }
  }

  async start(): Promise<void> {
    const { clients, seed, cluster } = this.#options
    for (const statement of SCHEMA) await write(cluster, statement)
    for (const { model, key } of this.objects.all) {
      for (const statement of opening(model, key)) await write(cluster, statement)
    }
    this.#running = Array.from({ length: clients }, (_, n) =>
      this.#run(new PatientSession(`client ${n}`, n % 2 === 0), new Dice(seed * 1_000 + n))
    )
  }

  /** Resolves when what was under way is decided, or nobody waits for it any more. */
  async stop(): Promise<void> {
    this.#endedAtMs = performance.now()
    await Promise.all(this.#running)
  }

  /** Reads all objects, strongly: the end of the history. @throws Error when one is not answered */
  async readAll(): Promise<void> {
    const session = new PatientSession('the end', true)
    for (const object of this.objects.all) {
      await until(`${object.key} to be read`, { withinMs: SETTLED_MS }, async () =>
        (await this.#read(session, object, 'strong')) ? true : undefined
      )
    }
    await this.#agent.close()
  }

  async #run(session: PatientSession, dice: Dice): Promise<void> {
    const everyMs = 1_000 / this.#options.perS
    let nextAtMs = performance.now() + dice.next() * everyMs
    while (performance.now() < this.#endedAtMs) {
      await sleep(Math.max(0, nextAtMs - performance.now()))
      // What was missed while a request waited is not made up for.
      nextAtMs = Math.max(nextAtMs, performance.now() - everyMs) + everyMs
      session.patienceMs = dice.between(PATIENCE_MS.least, PATIENCE_MS.most)
      const object = this.objects.pick(dice)
      if (dice.chance(READS)) {
        const consistency = dice.pick(CONSISTENCIES) as Consistency
        const times = consistency === 'strong' ? 1 : dice.between(1, REPEATED_MAX)
        for (let n = 0; n < times; n++) await this.#read(session, object, consistency)
      } else {
        const action = session.draw(object, dice, () => this.objects.unique())
        await this.#change(session, object, action)
      }
    }
  }

  async #change(session: PatientSession, object: ObjectName, action: Action): Promise<void> {
    const requestId = randomUUID()
    const beginMs = performance.now()
    const body = { statements: statementsOf(object.key, action) }
    const attempts: Attempt[] = []
    do {
      if (attempts.length > 0) await sleep(RETRY_MS)
      attempts.push(await this.#ask('write', { body, requestId, session }))
    } while (this.#goesOn(session, attempts))
    const endMs = performance.now()
    const change = session.change({ object, action, requestId, beginMs, endMs, attempts })
    this.#operations.push(change)
    if (change.outcome === 'ok') this.#writtenAtMs.push(endMs)
  }

  #goesOn(session: PatientSession, attempts: readonly Attempt[]): boolean {
    const outcome = outcomeOfAll(attempts)
    if (!session.persistent || outcome === 'ok' || outcome === 'rejected') return false
    if (attempts.at(-1)?.code === REFUSED) return false
    return performance.now() < this.#endedAtMs + SETTLED_MS
  }

  /** @returns whether it was answered */
  async #read(
    session: PatientSession,
    object: ObjectName,
    consistency: Consistency
  ): Promise<boolean> {
    const minIndex = consistency === 'session' ? session.index : null
    const beginMs = performance.now()
    const body = {
      ...{ sql: READINGS[object.model].sql, params: [object.key], consistency },
      ...(minIndex === null ? {} : { minIndex })
    }
    const attempts = [await this.#ask('read', { body, session })]
    const endMs = performance.now()
    const read = session.read({ object, consistency, minIndex, beginMs, endMs, attempts })
    this.#operations.push(read)
    if (read.outcome !== 'ok') return false
    this.#readAtMs.push(endMs)
    return true
  }

  /** One after the other, as a balancer would. */
  #anyUrl(): string {
    const { cluster, orchestrators = [] } = this.#options
    this.#asked += 1
    return orchestrators[this.#asked % orchestrators.length] ?? cluster.url
  }

  async #ask(
    what: 'write' | 'read',
    {
      body,
      requestId,
      session
    }: { readonly body: object; readonly requestId?: string; readonly session: PatientSession }
  ): Promise<Attempt> {
    try {
      const reply = await request(`${this.#anyUrl()}/api/v1/db/${what}`, {
        method: 'POST',
        dispatcher: this.#agent,
        signal: AbortSignal.timeout(session.patienceMs),
        headers: {
          'content-type': 'application/json',
          ...bearerOf(this.#options.cluster),
          ...(requestId === undefined ? {} : { 'idempotency-key': requestId })
        },
        body: JSON.stringify(body)
      })
      const answer = (await reply.body.json()) as { code?: string }
      const attempt = { status: reply.statusCode, code: answer.code ?? '', body: answer }
      if (isUnexpected(attempt)) {
        this.#unexpected.push(`${what} answered ${attempt.status}: ${JSON.stringify(answer)}`)
      }
      return attempt
    } catch (err) {
      const { code, name } = err as NodeJS.ErrnoException
      return { status: 0, code: typeof code === 'string' ? code : name, body: undefined }
    }
  }
}

/** One client's, and how it bears what it is not told. */
class PatientSession extends Session {
  /** Whether it sends again what is not decided. */
  readonly persistent: boolean
  patienceMs = PATIENCE_MS.most

  constructor(process: string, persistent: boolean) {
    super(process)
    this.persistent = persistent
  }
}
