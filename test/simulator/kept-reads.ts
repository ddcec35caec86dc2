/**
 * The read cache of production at a simulated orchestrator. It does what
 * orchestrator/cache/cache.ts does, but that it always listens, and that what a row's
 * answer depends on is known: that row, as if each were a table.
 */
import type { Changed } from '../../orchestrator/cache/heard.ts'
import { type Found, type Place, ReadCache } from '../../orchestrator/cache/read-cache.ts'
import type { Message } from '../../workers/protocol/messages.ts'
import type { AskedRead } from './orchestrator.ts'
import { bodyOf, parseBody } from './requests.ts'
import { keyChanged } from './rows.ts'
import type { World } from './world.ts'

const BYTES = 1e6
const LOOKS_MAX = 3
/** No schema ever changes. */
const AT_ANY_INDEX = Number.MAX_SAFE_INTEGER

export class KeptReads {
  readonly #world: World
  readonly #orchestratorId: string
  readonly #cache: ReadCache
  readonly #keys = new Set<string>()

  constructor(world: World, orchestratorId: string) {
    const { maxReadAgeMs: maxAgeMs } = world.plan.settings
    this.#world = world
    this.#orchestratorId = orchestratorId
    this.#cache = new ReadCache({ maxBytes: BYTES, maxAgeMs })
  }

  /** An answer, or where one may be kept. */
  look(read: AskedRead): { readonly body: Buffer | null; readonly place: Place | null } {
    this.#keys.add(read.key)
    const { body, place } = this.#find(read)
    if (body === null) return { body, place }
    const { index, result } = JSON.parse(body) as { index: number; result: string }
    this.#world.judge.toldAgain(this.#orchestratorId, { read, index, result })
    return { body: bodyOf(index, result), place }
  }

  /** As others would who pass by, so that whatever is kept at this moment is judged. */
  askAgain(): void {
    for (const key of this.#keys) {
      this.look({ key, consistency: 'replica', minIndex: 0, askedMs: this.#world.timeline.nowMs })
    }
  }

  /** Days are short here: each read is taken for one that has come before. */
  #find(read: AskedRead, looks = 1): Found {
    const { key, minIndex } = read
    const { nowMs } = this.#world.timeline
    const found = this.#cache.look({ sql: key, params: [], minIndex }, nowMs)
    for (const statement of this.#cache.statements.takeWanted()) {
      const told = { index: AT_ANY_INDEX, tables: [statement.sql], instants: [] }
      this.#cache.statements.learn(statement, told)
    }
    const isUnknown = found.body === null && found.place === null
    return isUnknown && looks < LOOKS_MAX ? this.#find(read, looks + 1) : found
  }

  keep(place: Place, body: Buffer): void {
    this.#cache.keep(place, Buffer.from(JSON.stringify(parseBody(body))))
  }

  hear(message: Message): void {
    if (message.kind !== 'append') return
    const { term, from: master, prev, commitIndex } = message
    const entries = message.entries.map(({ index, changes }): Changed => {
      return { index, tables: keyChanged(changes) }
    })
    this.#cache.heard.take({ term, master, prev: prev.index, commitIndex, entries })
  }

  /** A master's answer to the question where its log ends. */
  prove(askedMs: number, body: Buffer): void {
    const { index, result } = parseBody(body)
    const [term, master = ''] = result.split(' ')
    this.#cache.heard.prove({ askedMs, term: Number(term), master, index })
  }
}
