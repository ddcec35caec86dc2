/**
 * Writes at a simulated master, as workers/writes.ts does them: takes what waits in
 * `writeQ`, executes it in one transaction, suspects alone, answers when it is committed.
 */
import type { Entry } from '../../workers/entry.ts'
import {
  begunBy,
  begunIn,
  isAhead,
  isHarmful,
  isLeftOver,
  isSuspect,
  mayExecute,
  mayLeave,
  toldAt
} from '../../workers/protocol/answers.ts'
import type { View } from '../../workers/protocol/view.ts'
import type { Ended, Executed } from './database.ts'
import type { Connection } from './rabbitmq-client.ts'
import { bodyOf, type Reply, type WriteCommand, type WriteMessage } from './requests.ts'
import { isPoison } from './rows.ts'
import type { Consumer, Delivery } from './shared-queue.ts'
import { Switch } from './switch.ts'
import type { Worker } from './worker.ts'
import type { World } from './world.ts'

const PREFETCH = 6
const COMMITTED_LOOK_MS = 1
/** Commands in one transaction; a message is never split. */
const BATCH_COMMANDS = 8

/** A message, or what is left of it. */
interface Taken {
  readonly delivery: Delivery
  readonly message: WriteMessage
}

/** Whose answers are ready. */
type Asked = readonly { readonly command: WriteCommand; readonly replyTo: string }[]

interface Held {
  readonly index: number
  /** Of which all is answered then. */
  readonly deliveries: readonly Delivery[]
  readonly answers: readonly { readonly replyTo: string; readonly told: Told }[]
}

interface Told {
  readonly requestId: string
  readonly executed: Executed
}

export class Writes {
  readonly #worker: Worker
  readonly #switch: Switch
  #session: WriteSession | null = null
  /** Of this session or of one before it: one transaction at a time. */
  executing = false

  constructor(world: World, worker: Worker) {
    this.#worker = worker
    this.#switch = new Switch(world, worker, {
      start: (connection, term) => {
        this.#session = new WriteSession(world, { worker, writes: this, connection, term })
      },
      stop: () => {
        this.#session?.close()
        this.#session = null
      }
    })
  }

  follow(connection: Connection | null, term: number): void {
    this.#switch.set(connection, term)
  }

  step(view: View): void {
    this.#session?.step(view)
  }

  /** A batch has ended: the present session may have one that waited for it. */
  done(): void {
    this.executing = false
    this.#session?.step(this.#worker.view)
  }
}

/** One mastership over one connection. */
class WriteSession {
  readonly #world: World
  readonly #worker: Worker
  readonly #writes: Writes
  readonly #connection: Connection
  readonly #term: number
  readonly #consumer: Consumer
  #waiting: Taken[] = []
  #held: Held[] = []
  #open = true
  readonly #suspects = new Set<string>()

  constructor(
    world: World,
    of: { worker: Worker; writes: Writes; connection: Connection; term: number }
  ) {
    this.#world = world
    this.#worker = of.worker
    this.#writes = of.writes
    this.#connection = of.connection
    this.#term = of.term
    for (const id of of.worker.disk.begun()) this.#suspects.add(begunIn(id))
    this.#consumer = of.connection.consume(world.rabbitmq.writeQ, PREFETCH, delivery =>
      this.#take(delivery)
    )
  }

  close(): void {
    this.#open = false
    this.#waiting = []
    this.#held = []
    this.#consumer.close()
  }

  step(view: View): void {
    if (mayExecute(view)) this.#begin()
    this.#release(view)
  }

  #take(delivery: Delivery): void {
    if (!this.#open) return
    const message = delivery.queued.body as WriteMessage
    const { redelivered } = delivery
    if (isLeftOver({ redelivered, term: message.term }, this.#term)) {
      this.#consumer.nack(delivery, 'drop')
      return
    }
    const terms = { sent: message.term, own: this.#term }
    if (isAhead(terms)) {
      this.#leave(delivery)
      return
    }
    for (const command of message.commands) {
      if (isSuspect(command, terms)) this.#suspects.add(command.requestId)
    }
    this.#waiting.push({ delivery, message })
    if (mayExecute(this.#worker.view)) this.#begin()
  }

  /** To the next master, until nobody waits for it any more. */
  #leave(delivery: Delivery): void {
    const leftMs = Math.max(0, delivery.queued.expiresAtMs - this.#world.timeline.nowMs)
    this.#worker.after(leftMs, () => {
      if (this.#open) this.#consumer.ack(delivery)
    })
  }

  #release(view: View): void {
    for (let held = this.#held[0]; held !== undefined && mayLeave(held, view); ) {
      this.#held.shift()
      this.#tell(held)
      held = this.#held[0]
    }
  }

  #tell(held: Held): void {
    for (const { replyTo, told } of held.answers) {
      this.#world.judge.answered(this.#worker, { term: this.#term, ...told })
      this.#connection.send(replyTo, [replyOf(told)])
    }
    for (const delivery of held.deliveries) this.#consumer.ack(delivery)
  }

  #begin(): void {
    if (this.#writes.executing || this.#waiting.length === 0 || !this.#open) return
    this.#writes.executing = true
    const suspect = this.#nextSuspect()
    if (suspect === null) this.#execute(this.#nextBatch())
    else this.#executeSuspect(suspect)
  }

  /** One by one, ahead of the others: the order among clients does not matter here. */
  #nextSuspect(): Taken | null {
    for (const [i, { delivery, message }] of this.#waiting.entries()) {
      const { commands } = message
      const suspect = commands.find(({ requestId }) => this.#suspects.has(requestId))
      if (suspect === undefined) continue
      const others = commands.filter(command => command !== suspect)
      const isLast = others.length === 0
      const left = { delivery, message: { ...message, commands: others } }
      this.#waiting.splice(i, 1, ...(isLast ? [] : [left]))
      return { delivery, message: { ...message, commands: [suspect] } }
    }
    return null
  }

  /** An entry says first that it begins. */
  #executeSuspect(one: Taken): void {
    const { database, disk } = this.#worker
    const command = one.message.commands[0] as WriteCommand
    if (disk.results.has(command.requestId) || this.#isLate(one)) {
      this.#execute([one])
      return
    }
    const begun = { ...begunBy(command), statement: '' }
    this.#world.judge.begins(this.#worker, command, this.#term)
    this.#worker.dispatch({ kind: 'executing' })
    this.#transact(
      () => database.append(begun, { status: 200, term: this.#term }),
      how => {
        if ('done' in how) this.#begun({ one, command, executed: how.done[0] as Executed })
        else this.#ended({ batch: [one], asked: [], last: disk.last }, how)
      }
    )
  }

  #begun({ one, command, executed }: { one: Taken; command: WriteCommand; executed: Executed }) {
    if (executed.kind === 'refused') throw new Error('an entry without a command was refused')
    const { entry } = executed
    const term = this.#term
    const entries = executed.kind === 'entry' ? [entry] : []
    this.#worker.dispatch({ kind: 'executed', term, entries, goesOn: true })
    if (isHarmful(entry.term, term)) {
      this.#refuse(one, command)
      return
    }
    this.#onceCommitted(entry.index, isCommitted => {
      if (isCommitted) this.#execute([one], true)
      else {
        this.#worker.dispatch({ kind: 'executed', term, entries: [] })
        this.#writes.done()
      }
    })
  }

  #refuse(one: Taken, command: WriteCommand): void {
    const { database, disk } = this.#worker
    const term = this.#term
    const asked = [{ command, replyTo: one.message.replyTo }]
    this.#world.judge.refused(command, term)
    this.#transact(
      () => database.append(command, { status: 422, term }),
      how => this.#ended({ batch: [one], asked, last: disk.last }, how)
    )
  }

  #onceCommitted(index: number, then: (isCommitted: boolean) => void): void {
    const { view } = this.#worker
    const mayAnswer = this.#open && view.leads && view.term === this.#term
    if (!mayAnswer || view.commitIndex >= index) then(mayAnswer)
    else this.#worker.after(COMMITTED_LOOK_MS, () => this.#onceCommitted(index, then))
  }

  #isLate({ delivery }: Taken): boolean {
    return delivery.queued.expiresAtMs <= this.#world.timeline.nowMs
  }

  #nextBatch(): Taken[] {
    let commands = 0
    let count = 0
    for (const { message } of this.#waiting) {
      commands += message.commands.length
      if (count > 0 && commands > BATCH_COMMANDS) break
      count += 1
    }
    return this.#waiting.splice(0, count)
  }

  #execute(batch: readonly Taken[], toTheEnd = false): void {
    const asked = batch.flatMap(one =>
      // Nobody waits any more for what has passed its deadline.
      !toTheEnd && this.#isLate(one)
        ? []
        : one.message.commands.map(command => ({ command, replyTo: one.message.replyTo }))
    )
    const commands = asked.map(({ command }) => command)
    const { database, disk } = this.#worker
    for (const one of commands) this.#world.judge.begins(this.#worker, one, this.#term)
    this.#worker.dispatch({ kind: 'executing' })
    this.#world.ambush.happens('working', this.#worker.id)
    const poison = commands.find(({ requestId, statement }) => {
      return isPoison(statement) && !disk.results.has(requestId)
    })
    if (poison !== undefined) {
      this.#die(poison)
      return
    }
    this.#transact(
      () => database.execute(commands, this.#term),
      how => {
        const executed = 'done' in how ? { done: how.done[0] ?? [] } : how
        this.#ended({ batch, asked, last: disk.last }, executed)
      }
    )
  }

  #transact<T>(part: () => Ended<T>, then: (how: Ended<T[]>) => void): void {
    this.#worker.database.transact([part], {
      ended: how => {
        this.#world.ambush.happens('committed', this.#worker.id)
        this.#worker.soon(() => then(how))
      },
      lost: () => this.#worker.after(0, () => this.#worker.end('lost'))
    })
  }

  #die({ requestId }: WriteCommand): void {
    // It may freeze before it dies, and wake as a follower of a later term.
    const term = this.#term
    this.#worker.after(this.#world.delay(), () => {
      this.#world.judge.poisoned(this.#worker, { requestId, term })
      this.#worker.end('lost')
    })
  }

  #ended(
    of: {
      batch: readonly Taken[]
      asked: Asked
      last: Worker['state']['last']
    },
    how: Ended<readonly Executed[]>
  ): void {
    if ('refused' in how) {
      this.#worker.dispatch({ kind: 'refused', why: how.refused, last: of.last })
      this.#writes.done()
      return
    }
    const executed = how.done
    const index = toldAt(this.#worker.state.last.index, executed)
    const answers = of.asked.map(({ command, replyTo }, i) => {
      const told = { requestId: command.requestId, executed: executed[i] as Executed }
      return { replyTo, told }
    })
    const deliveries = of.batch
      .map(({ delivery }) => delivery)
      .filter(delivery => !this.#waiting.some(left => left.delivery === delivery))
    if (this.#open) this.#held.push({ index, deliveries, answers })
    const entries = executed.flatMap((one): Entry[] => (one.kind === 'entry' ? [one.entry] : []))
    this.#worker.dispatch({ kind: 'executed', term: this.#term, entries })
    this.#writes.done()
  }
}

function replyOf({ requestId, executed }: Told): Reply {
  if (executed.kind === 'refused') {
    return { id: requestId, kind: 'write', status: 422, body: bodyOf(0, '') }
  }
  const { index, status, result } = executed.entry
  return { id: requestId, kind: 'write', status, body: bodyOf(index, result) }
}
