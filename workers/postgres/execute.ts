/**
 * The master's side: batches of commands become entries, in one transaction with
 * their effects. Invariants:
 * - E1 every new command has exactly one entry; one that failed left nothing behind
 * - E2 no request id is executed twice: the log's unique key has the last word
 * - E3 the term is locked and checked by the transaction that writes
 */
import type { WriteCommand } from '../../wire/requests.ts'
import type { Item } from '../../wire/verify.ts'
import { type Entry, positionOf } from '../entry.ts'
import type { Bystanders, Executed, Postponed } from '../store.ts'
import { Attempt, KnownIdError, NothingRanError } from './attempt.ts'
import { readCatalog } from './catalog.ts'
import { changesSchema, locksTables, markIn, runsAlone } from './command.ts'
import { bytesOf } from './log.ts'
import {
  EMPTY_CHANGES,
  MASTER_TEXTS,
  type Master,
  type Mode,
  OUTCOMES,
  OwnStepError,
  RetryError
} from './master.ts'
import { notLogged, type Refusal } from './refusals.ts'
import { type Known, outcomesOf, planOf } from './repeats.ts'
import { keyOf } from './request-key.ts'
import { NO_PRECAUTIONS, type Precautions } from './rerun.ts'
import { SequencePositions } from './sequences.ts'
import type { Session } from './session.ts'
import { isDiskFull, lostTo, verdictOf } from './sql-error.ts'
import type { SqlError } from './steps.ts'
import { packedTexts } from './text.ts'
import { Turn } from './turn.ts'

/** Savepoints nest: with more of them in one transaction a second one is cheaper. */
const COMMANDS_MAX = 128
/** Captured rows after which the (unlogged) table they went through is emptied. */
const CAPTURED_MAX = 50_000
/** Transactions in careful steps after one that was undone: failures seldom come alone. */
const CAREFUL_FOR = 16
/** Of a batch whose commands other transactions are in the way of. */
const TRIES_MAX = 3

/** What the transactions of one call have in common. */
interface Run {
  readonly term: number
  readonly turn: Turn
  readonly precautions: Precautions
}

/** The commands of the batch are to be run in a transaction each. */
class AloneError extends Error {}

const MODES: readonly Mode[] = ['straight', 'savepoints', 'stepwise']
const later = (a: Mode, b: Mode): Mode => (MODES.indexOf(a) > MODES.indexOf(b) ? a : b)

export class Executor {
  readonly #master: Master
  /** What the transaction under way executes. */
  running: readonly WriteCommand[] = []
  #captured = 0
  #carefulFor = 0
  #stepwiseFor = 0

  private constructor(master: Master) {
    this.#master = master
  }

  /** To be made anew for each term: meanwhile another worker may have led. */
  static async open(
    session: Session,
    options: Pick<Master, 'secret' | 'limits' | 'log' | 'isWell' | 'leastMode' | 'verifier'>
  ): Promise<Executor> {
    for (const sql of MASTER_TEXTS) session.statements.keep(sql)
    const catalog = await readCatalog(session.connection)
    const sequences = new SequencePositions()
    return new Executor({ ...options, session, catalog, sequences })
  }

  execute(
    batch: readonly WriteCommand[],
    term: number,
    options: {
      readonly bystanders?: Bystanders | undefined
      readonly precautions?: Precautions
    } = {}
  ): Promise<(Executed | Postponed)[]> {
    const { bystanders, precautions = NO_PRECAUTIONS } = options
    const turn = this.#turnOf(batch, bystanders)
    return this.#master.session.exclusive(async () => {
      const executed: (Executed | Postponed)[] = []
      for (const group of transactionsOf(batch, precautions)) {
        executed.push(...(await this.#executeMarked(group, { term, turn, precautions })))
      }
      await this.#tidy()
      return executed
    })
  }

  /** The next entry names the positions of all sequences. */
  nameSequences(): void {
    this.#master.sequences.forget()
  }

  /** Appends `refusal` as the outcome of a command that has none; nothing of it is executed. */
  refuse(command: WriteCommand, refusal: Refusal, term: number): Promise<Executed> {
    return this.#master.session.exclusive(async () => {
      const plan = planOf([command], await this.#known([command]))
      const settled = new Map([[0, refusal]])
      const precautions = NO_PRECAUTIONS
      const run = { term, turn: this.#turnOf([command]), precautions, settled }
      const isFresh = plan.fresh.length > 0
      const entries = isFresh ? await this.#append(plan.fresh, run) : new Map<number, Entry>()
      return outcomesOf(plan, entries)[0] as Executed
    })
  }

  #turnOf(batch: readonly WriteCommand[], bystanders?: Bystanders): Turn {
    return new Turn({ batch, limits: this.#master.limits, bystanders })
  }

  /** A part of a verification: its snapshot is opened while nobody writes. */
  async #executeMarked(
    group: readonly WriteCommand[],
    run: Run
  ): Promise<(Executed | Postponed)[]> {
    const { verifier, log, catalog } = this.#master
    const [command] = group
    const mark = command && markIn(command)
    if (group.some(locksTables)) verifier.makeWay()
    if (mark === undefined) return this.#executeGroup(group, run)
    const index = log.last.index + 1
    const marked = await verifier.mark(mark, { index, catalog })
    let executed: (Executed | Postponed)[]
    try {
      executed = await this.#executeGroup(group, run)
    } catch (err) {
      marked.drop()
      throw err
    }
    const positions = positionsIn(executed[0], index)
    if (positions === undefined) marked.drop()
    else marked.go(positions)
    return executed
  }

  async #executeGroup(group: readonly WriteCommand[], run: Run): Promise<(Executed | Postponed)[]> {
    const doubtful = group.filter(command => command.mayRepeat || run.precautions.mayRepeat)
    try {
      return await this.#executeFresh(group, run, await this.#known(doubtful))
    } catch (err) {
      if (err instanceof AloneError) return this.#executeAlone(group, run)
      if (!(err instanceof KnownIdError)) throw err
      // E2: undone by the log's unique key; now every id is looked up.
      return this.#executeFresh(group, run, await this.#known(group))
    }
  }

  /** Each in a transaction of its own, for one of them makes statements of Convoy's own fail. */
  async #executeAlone(group: readonly WriteCommand[], run: Run): Promise<(Executed | Postponed)[]> {
    const executed: (Executed | Postponed)[] = []
    for (const command of group) executed.push(...(await this.#executeGroup([command], run)))
    return executed
  }

  async #executeFresh(
    group: readonly WriteCommand[],
    run: Run,
    known: ReadonlyMap<string, Known>
  ): Promise<(Executed | Postponed)[]> {
    const plan = planOf(group, known)
    const mayRun = plan.fresh.some(command => run.turn.mayBegin(command))
    return outcomesOf(plan, mayRun ? await this.#append(plan.fresh, run) : new Map())
  }

  /** Tries until nothing is left to learn: each attempt settles at least one more command. */
  async #append(
    commands: readonly WriteCommand[],
    { term, turn, precautions, settled = new Map() }: Run & { settled?: Map<number, Refusal> }
  ): Promise<ReadonlyMap<number, Entry>> {
    const { session, log } = this.#master
    for (const [at, { requestId }] of commands.entries()) {
      const refusal = precautions.settled.get(requestId)
      if (refusal !== undefined) settled.set(at, refusal)
    }
    this.running = commands
    let mode = this.#modeFor(commands, settled)
    for (let tries = 1; ; ) {
      const isLastTry = tries >= TRIES_MAX
      const attempt = new Attempt(this.#master, { commands, term, settled, mode, isLastTry, turn })
      try {
        const { entries, captured } = await session.transaction(() => attempt.run())
        this.running = []
        const lastEntry = [...entries.values()].at(-1)
        if (lastEntry !== undefined) log.last = positionOf(lastEntry)
        this.#captured += captured
        for (const entry of entries.values()) turn.took(bytesOf(entry))
        const wentWell = commands.filter((_, i) => entries.get(i)?.status === 200)
        for (const { sql } of wentWell.flatMap(c => c.statements)) session.statements.ran(sql)
        return entries
      } catch (err) {
        if (err instanceof NothingRanError) return new Map()
        if (err instanceof OwnStepError) {
          await this.#narrow(err.error, commands, settled)
          mode = later(mode, 'savepoints') // the fast path runs them all
        } else if (err instanceof RetryError) {
          for (const [at, refusal] of err.settled) settled.set(at, refusal)
          if (err.settled.size === 0 && err.mode === mode) tries += 1
          mode = later(mode, err.mode)
        } else throw err
        this.#startCareful(mode)
      } finally {
        if (commands.some(changesSchema)) await this.#forgetSchema()
      }
    }
  }

  #modeFor(commands: readonly WriteCommand[], settled: ReadonlyMap<number, Refusal>): Mode {
    this.#carefulFor = Math.max(0, this.#carefulFor - 1)
    this.#stepwiseFor = Math.max(0, this.#stepwiseFor - 1)
    const { leastMode = 'straight' } = this.#master
    if (this.#stepwiseFor > 0 || commands.some(runsAlone)) return 'stepwise'
    return this.#carefulFor > 0 || settled.size > 0 ? later('savepoints', leastMode) : leastMode
  }

  #startCareful(mode: Mode): void {
    this.#carefulFor = CAREFUL_FOR
    if (mode === 'stepwise') this.#stepwiseFor = CAREFUL_FOR
  }

  /**
   * After an error of Convoy's own statements: finds the command that brings it about, and makes it
   * the one that fails. Where nobody's command ran it was the server.
   */
  async #narrow(
    error: SqlError,
    commands: readonly WriteCommand[],
    settled: Map<number, Refusal>
  ): Promise<void> {
    const suspects = commands.flatMap((_, i) => (settled.has(i) ? [] : [i]))
    const [suspect] = suspects
    if (suspect === undefined || verdictOf(error) === 'server' || isDiskFull(error)) {
      throw lostTo(error)
    }
    if (!(await this.#master.isWell())) throw lostTo(error)
    if (commands.length > 1) throw new AloneError()
    settled.set(suspect, notLogged(error))
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

/** What the entry of a mark says of sequences; undefined where it is not the one to be written. */
function positionsIn(
  executed: Executed | Postponed | undefined,
  index: number
): readonly Item[] | undefined {
  if (executed?.kind !== 'entry') return undefined
  const { entry } = executed
  if (entry.index !== index || entry.status !== 200) return undefined
  return (JSON.parse(entry.result) as { rows: Item[] }[]).flatMap(({ rows }) => rows)
}

/** Splits a batch where a command needs a transaction of its own, or one grows too long. */
function transactionsOf(batch: readonly WriteCommand[], { alone }: Precautions): WriteCommand[][] {
  const groups: WriteCommand[][] = []
  let open: WriteCommand[] | undefined
  for (const command of batch) {
    if (runsAlone(command) || alone.has(command.requestId)) {
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
