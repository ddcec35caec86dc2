/**
 * The master's side: batches of commands become entries, in one transaction with
 * their effects. Invariants:
 * - E1 every new command has exactly one entry; one that failed left nothing behind
 * - E2 no request id is executed twice: the log's unique key has the last word
 * - E3 the term is locked and checked by the transaction that writes
 */
import type { WriteCommand } from '../../platform/wire/requests.ts'
import { type Entry, positionOf } from '../entry.ts'
import type { Executed } from '../store.ts'
import { Attempt, KnownIdError } from './attempt.ts'
import { readCatalog } from './catalog.ts'
import { changesSchema, runsAlone } from './command.ts'
import { EMPTY_CHANGES, MASTER_TEXTS, type Master, OUTCOMES, RetryError } from './master.ts'
import type { Refusal } from './refusals.ts'
import { type Known, outcomesOf, planOf } from './repeats.ts'
import { keyOf } from './request-key.ts'
import { SequencePositions } from './sequences.ts'
import type { Session } from './session.ts'
import { packedTexts } from './text.ts'

/** Savepoints nest: with more of them in one transaction a second one is cheaper. */
const COMMANDS_MAX = 128
/** Captured rows after which the (unlogged) table they went through is emptied. */
const CAPTURED_MAX = 50_000
/** Transactions in careful steps after one that was undone: failures seldom come alone. */
const CAREFUL_FOR = 16

export class Executor {
  readonly #master: Master
  #captured = 0
  #carefulFor = 0

  private constructor(master: Master) {
    this.#master = master
  }

  /** To be made anew for each term: meanwhile another worker may have led. */
  static async open(
    session: Session,
    options: Pick<Master, 'secret' | 'limits' | 'log' | 'isWell'>
  ): Promise<Executor> {
    for (const sql of MASTER_TEXTS) session.statements.keep(sql)
    const catalog = await readCatalog(session.connection)
    const sequences = new SequencePositions()
    return new Executor({ ...options, session, catalog, sequences })
  }

  execute(batch: readonly WriteCommand[], term: number): Promise<Executed[]> {
    return this.#master.session.exclusive(async () => {
      const executed: Executed[] = []
      for (const group of transactionsOf(batch)) {
        executed.push(...(await this.#executeGroup(group, term)))
      }
      await this.#tidy()
      return executed
    })
  }

  /** Appends `refusal` as the outcome of a command that has none; nothing of it is executed. */
  refuse(command: WriteCommand, refusal: Refusal, term: number): Promise<Executed> {
    return this.#master.session.exclusive(async () => {
      const plan = planOf([command], await this.#known([command]))
      const settled = new Map([[0, refusal]])
      const isFresh = plan.fresh.length > 0
      const entries = isFresh ? await this.#append(plan.fresh, term, settled) : []
      return outcomesOf(plan, entries)[0] as Executed
    })
  }

  async #executeGroup(group: readonly WriteCommand[], term: number): Promise<Executed[]> {
    const doubtful = group.filter(command => command.mayRepeat)
    try {
      return await this.#executeFresh(group, { term, known: await this.#known(doubtful) })
    } catch (err) {
      if (!(err instanceof KnownIdError)) throw err
      // E2: undone by the log's unique key; now every id is looked up.
      return this.#executeFresh(group, { term, known: await this.#known(group) })
    }
  }

  async #executeFresh(
    group: readonly WriteCommand[],
    { term, known }: { term: number; known: ReadonlyMap<string, Known> }
  ): Promise<Executed[]> {
    const plan = planOf(group, known)
    const entries = plan.fresh.length === 0 ? [] : await this.#append(plan.fresh, term)
    return outcomesOf(plan, entries)
  }

  /** Tries until nothing is left to learn: each attempt settles at least one more command. */
  async #append(
    commands: readonly WriteCommand[],
    term: number,
    settled = new Map<number, Refusal>()
  ): Promise<readonly Entry[]> {
    const { session, log } = this.#master
    this.#carefulFor = Math.max(0, this.#carefulFor - 1)
    for (;;) {
      const careful = this.#carefulFor > 0 || settled.size > 0 || commands.some(runsAlone)
      const attempt = new Attempt(this.#master, { commands, term, settled, careful })
      try {
        const { entries, captured } = await session.transaction(() => attempt.run())
        const lastEntry = entries.at(-1)
        if (lastEntry !== undefined) log.last = positionOf(lastEntry)
        this.#captured += captured
        const wentWell = commands.filter((_, i) => entries[i]?.status === 200)
        for (const { sql } of wentWell.flatMap(c => c.statements)) session.statements.ran(sql)
        return entries
      } catch (err) {
        if (!(err instanceof RetryError)) throw err
        for (const [at, refusal] of err.settled) settled.set(at, refusal)
        this.#carefulFor = CAREFUL_FOR
      } finally {
        if (commands.some(changesSchema)) await this.#forgetSchema()
      }
    }
  }

  async #forgetSchema(): Promise<void> {
    this.#master.session.statements.clear()
    this.#master.catalog = await readCatalog(this.#master.session.connection)
  }

  async #known(commands: readonly WriteCommand[]): Promise<Map<string, Known>> {
    const known = new Map<string, Known>()
    if (commands.length === 0) return known
    const { session, secret } = this.#master
    const idOf = new Map(commands.map(({ requestId }) => [keyOf(requestId), requestId]))
    const sink = {
      fields: () => undefined,
      row: ([index, term, key, commandHash, status, result]: readonly (string | null)[]) => {
        known.set(idOf.get(key ?? '') ?? '', {
          index: Number(index),
          term: Number(term),
          commandHash: commandHash ?? '',
          status: Number(status),
          result: result ?? ''
        })
      }
    }
    const values = [secret, packedTexts([...idOf.keys()])]
    await session.connection.must([session.statements.step(OUTCOMES, values, sink)])
    return known
  }

  async #tidy(): Promise<void> {
    if (this.#captured < CAPTURED_MAX) return
    const { session, secret } = this.#master
    await session.connection.must([{ sql: EMPTY_CHANGES, values: [secret] }])
    this.#captured = 0
  }
}

/** Splits a batch where a command needs a transaction of its own, or one grows too long. */
function transactionsOf(batch: readonly WriteCommand[]): WriteCommand[][] {
  const groups: WriteCommand[][] = []
  let open: WriteCommand[] | undefined
  for (const command of batch) {
    if (runsAlone(command)) {
      groups.push([command])
      open = undefined
    } else if (open === undefined || open.length >= COMMANDS_MAX) {
      open = [command]
      groups.push(open)
    } else {
      open.push(command)
    }
  }
  return groups
}
