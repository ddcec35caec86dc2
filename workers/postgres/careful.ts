/**
 * The careful path: runs the commands of a batch under a savepoint each, so that one that fails
 * undoes itself alone. docs/write-execution.md has the states.
 *
 * Invariants, before each command:
 * - S1 the transaction is open and not failed, and the newest savepoint `s` stands directly
 *   behind the last command that is kept
 * - S2 nothing is sent behind a command that may yet turn out to be wrong though it went well
 */
import type { WriteCommand } from '../../wire/requests.ts'
import { readCatalog } from './catalog.ts'
import { CapturedChanges } from './changes.ts'
import {
  type CommandContext,
  type CommandOutcome,
  changesSchema,
  isExpecting,
  isOverflown,
  outcomeOf,
  RELEASE,
  ROLLBACK_TO,
  SAVEPOINT,
  type Sending,
  sendingOf,
  tagStep
} from './command.ts'
import {
  type BatchStart,
  checkOpened,
  type Master,
  OwnStepError,
  openingSteps,
  RetryError,
  readingSteps
} from './master.ts'
import { outOfTime, type Refusal } from './refusals.ts'
import { SchemaCheck } from './schema-check.ts'
import { lostTo, OUT_OF_MEMORY } from './sql-error.ts'
import type { Outcome, Step } from './steps.ts'
import { isTooMuch, type Standing, TOGETHER_MS, type Turn } from './turn.ts'

/** Ended by a timeout, or at somebody's request. */
const CANCELLED = '57014'

export interface CarefulBatch extends BatchStart {
  readonly commands: readonly WriteCommand[]
  /** Outcomes that are known beforehand, by the commands' places in the batch. */
  readonly settled: ReadonlyMap<number, Refusal>
  /** One command after the other, each with a budget of its own. */
  readonly stepwise: boolean
  /** Whoever is in another's way now has failed by it. */
  readonly isLastTry: boolean
  readonly turn: Turn
}

/** What became of the command at a place of the batch. Commands that are missing are postponed. */
export interface Ran {
  readonly at: number
  readonly status: number
  readonly result: string
  /** JSON text of a `Change`: what replicas are to compare behind it. */
  readonly compared?: string
}

export interface CarefullyRun {
  readonly ran: readonly Ran[]
  readonly captured: CapturedChanges
}

/** @throws RetryError when the batch is to be run again, OwnStepError when it cannot go on */
export async function runCarefully(
  master: Master,
  batch: CarefulBatch,
  context: CommandContext
): Promise<CarefullyRun> {
  const { connection, statements } = master.session
  const run = new CarefulRun(master, batch, context)
  const opening = [...openingSteps(master, batch), ...run.before(), statements.step(SAVEPOINT)]
  const { opened, done } = connection.together(() => ({
    opened: connection.run(opening),
    done: run.run()
  }))
  // Whatever the commands say in a transaction that was not opened is void.
  done.catch(() => undefined)
  checkOpened(await opened)
  return done
}

interface Sent {
  readonly sending: Sending
  readonly outcome: Promise<Outcome>
}

/** A command that has ended, with the outcome of its exchange: tag, statements, savepoint. */
interface Heard {
  readonly sending: Sending
  readonly outcome: Outcome
  /** Nothing was sent behind it: it can be undone though it went well. */
  readonly isLast: boolean
  readonly standing?: Standing
}

class CarefulRun {
  readonly #master: Master
  readonly #batch: CarefulBatch
  readonly #context: CommandContext
  readonly #ran: Ran[] = []
  readonly #captured = new CapturedChanges()
  /** Where one of them, which runs alone then, changes the schema. */
  readonly #schemaCheck: SchemaCheck | undefined
  /** Under way already, where nothing can be found wrong any more. */
  #reading: Promise<Outcome> | undefined

  constructor(master: Master, batch: CarefulBatch, context: CommandContext) {
    this.#master = master
    this.#batch = batch
    this.#context = context
    if (batch.commands.some(changesSchema)) this.#schemaCheck = new SchemaCheck(master)
  }

  /** What is read before the commands. */
  before(): Step[] {
    return this.#schemaCheck?.before() ?? []
  }

  async run(): Promise<CarefullyRun> {
    const { commands, stepwise } = this.#batch
    if (stepwise) for (const at of commands.keys()) await this.#step(at)
    else for (let at = 0; at < commands.length; ) at = await this.#round(at)
    if (this.#schemaCheck !== undefined) await this.#checkSchema(this.#schemaCheck)
    checkOwn(await (this.#reading ?? this.#read()))
    return { ran: this.#ran, captured: this.#captured }
  }

  async #checkSchema(check: SchemaCheck): Promise<void> {
    // The sequences may be others than before.
    this.#master.catalog = await readCatalog(this.#master.session.connection)
    for (const [i, ran] of this.#ran.entries()) {
      if (ran.status === 200) this.#ran[i] = { ...ran, compared: await check.after() }
    }
  }

  /** Runs commands up to the first that has to be looked at before others may follow (S2). */
  async #round(from: number): Promise<number> {
    const { commands } = this.#batch
    const { session } = this.#master
    const expecting = commands.findIndex((command, at) => at >= from && isExpecting(command))
    const to = expecting === -1 ? commands.length : expecting + 1
    const index = this.#nextIndex
    const sent = session.connection.together(() => {
      const sent = commands.slice(from, to).map((_, i) => this.#sendUndone(from + i, index + i))
      if (expecting === -1 && this.#schemaCheck === undefined) this.#reading = this.#read()
      return sent
    })
    const all = Promise.all([...sent.flatMap(one => (one ? [one.outcome, one.undone] : []))])
    const sendings = sent.flatMap(one => (one ? [one.sending] : []))
    const isTooLarge = () =>
      sendings.some(isOverflown) || isTooMuch(sendings.map(({ collected }) => collected))
    const isCut = await session.watch(all, ranMs => ranMs >= TOGETHER_MS || isTooLarge())
    const heard = await Promise.all(sent.map(one => one?.outcome))
    if (isCut && heard.some(outcome => outcome?.error !== undefined)) {
      throw new RetryError('stepwise')
    }
    for (const [i, one] of sent.entries()) {
      const outcome = heard[i]
      if (one === undefined || outcome === undefined) this.#fail(from + i)
      else {
        const isLast = from + i === expecting
        await this.#settle(from + i, { sending: one.sending, outcome, isLast })
        checkOwn(await one.undone)
      }
    }
    return to
  }

  /** Runs one command, watched for its time; only then is anything sent behind it. */
  async #step(at: number): Promise<void> {
    const { commands, settled, turn } = this.#batch
    const { session } = this.#master
    const command = commands[at] as WriteCommand
    if (settled.has(at)) return this.#fail(at)
    if (!turn.mayBegin(command)) return
    const sinceMs = performance.now()
    const { sending, outcome: running } = this.#send(at, this.#nextIndex)
    let standing: Standing = { kind: 'goes on' }
    await session.watch(running, ranMs => {
      standing = turn.standing(command, ranMs)
      return standing.kind !== 'goes on' || isOverflown(sending)
    })
    const outcome = await running
    turn.spent(command, performance.now() - sinceMs)
    turn.took(sending.collected.bytes)
    // Smuggled transaction control may have left nothing to roll back to; that is found below.
    const undone = outcome.error === undefined ? {} : await this.#run([ROLLBACK_TO])
    await this.#settle(at, { sending, outcome, isLast: true, standing })
    checkOwn(undone)
  }

  get #nextIndex(): number {
    return this.#batch.first + this.#ran.length
  }

  #run(texts: readonly string[]): Promise<Outcome> {
    const { connection, statements } = this.#master.session
    return connection.run(texts.map(sql => statements.step(sql)))
  }

  /** Sends a command that becomes the entry `index`. */
  #send(at: number, index: number): Sent {
    const { connection, statements } = this.#master.session
    const sending = sendingOf(this.#batch.commands[at] as WriteCommand, this.#context)
    const tag = tagStep(index, this.#context)
    const outcome = connection.run([tag, ...sending.steps, statements.step(SAVEPOINT)])
    return { sending, outcome }
  }

  /**
   * The same, with what undoes it if it fails, unless its outcome is known: where it went well the
   * rollback finds the savepoint behind it and undoes nothing, where it failed the one before it.
   */
  #sendUndone(at: number, index: number) {
    if (this.#batch.settled.has(at)) return undefined
    return { ...this.#send(at, index), undone: this.#run([ROLLBACK_TO]) }
  }

  #read(): Promise<Outcome> {
    const steps = readingSteps(this.#master, this.#batch.first, this.#captured)
    return this.#master.session.connection.run(steps)
  }

  /** Keeps a command that went well; of any other, S1 is restored. */
  async #settle(at: number, heard: Heard): Promise<void> {
    const own = await this.#judge(heard)
    if (own === 'postponed') return
    if (own.kind === 'done') {
      this.#ran.push({ at, status: 200, result: own.result })
      return
    }
    const { refusal } = own
    if (own.kind === 'smuggled') throw new RetryError('stepwise', new Map([[at, refusal]]))
    if (own.kind === 'again' && !this.#batch.isLastTry) {
      this.#master.session.statements.clear()
      throw new RetryError('savepoints')
    }
    if (heard.outcome.error === undefined) {
      if (!heard.isLast) throw new RetryError('stepwise', new Map([[at, refusal]]))
      // The newest savepoint stands behind the command: the one before it is needed.
      checkOwn(await this.#run([RELEASE, ROLLBACK_TO]))
    }
    this.#fail(at, refusal)
  }

  /** @throws OwnStepError where it is not one of the command's own statements that failed */
  async #judge({ sending, outcome, standing }: Heard): Promise<CommandOutcome | 'postponed'> {
    const { tags, error } = outcome
    if (tags.length === 0) checkOwn(outcome)
    const own = outcomeOf(sending, { ...outcome, tags: tags.slice(1) })
    if (own.kind !== 'failed') return own
    if (error?.sqlstate === CANCELLED && standing?.kind === 'postponed') return 'postponed'
    if (error?.sqlstate === CANCELLED && standing?.kind === 'failed') {
      return { ...own, refusal: outOfTime(standing.why, own.statement) }
    }
    // Plans that other statements left may be what takes the memory.
    const { statements } = this.#master.session
    if (error?.sqlstate === OUT_OF_MEMORY && statements.holdsAny) return { ...own, kind: 'again' }
    if (own.doubt !== undefined && !(await this.#master.isWell())) throw lostTo(own.doubt)
    return own
  }

  #fail(at: number, refusal = this.#batch.settled.get(at)): void {
    if (refusal === undefined) throw new Error('a command has no outcome')
    this.#ran.push({ at, status: refusal.status, result: refusal.body })
  }
}

function checkOwn({ error }: Partial<Outcome>): void {
  if (error !== undefined) throw new OwnStepError(error)
}
