/**
 * Writes at a simulated master, as workers/writes.ts does them: takes what waits in
 * `writeQ`, executes it in one transaction, answers when it is committed.
 */
import type { Entry } from '../../workers/entry.ts'
import { isLeftOver, mayExecute, mayLeave, toldAt } from '../../workers/protocol/answers.ts'
import type { View } from '../../workers/protocol/view.ts'
import type { Ended, Executed } from './database.ts'
import type { Connection } from './rabbitmq-client.ts'
import { bodyOf, type Reply, type WriteCommand, type WriteMessage } from './requests.ts'
import type { Consumer, Delivery } from './shared-queue.ts'
import { Switch } from './switch.ts'
import type { Worker } from './worker.ts'
import type { World } from './world.ts'

const PREFETCH = 6
/** Commands in one transaction; a message is never split. */
const BATCH_COMMANDS = 8

interface Taken {
  readonly delivery: Delivery
  readonly message: WriteMessage
}

interface Held {
  readonly index: number
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

  constructor(
    world: World,
    of: { worker: Worker; writes: Writes; connection: Connection; term: number }
  ) {
    this.#world = world
    this.#worker = of.worker
    this.#writes = of.writes
    this.#connection = of.connection
    this.#term = of.term
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
    this.#waiting.push({ delivery, message })
    if (mayExecute(this.#worker.view)) this.#begin()
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
    this.#execute(this.#nextBatch())
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

  #execute(batch: readonly Taken[]): void {
    const { nowMs } = this.#world.timeline
    const asked = batch.flatMap(({ delivery, message }) =>
      // Nobody waits any more for what has passed its deadline.
      delivery.queued.expiresAtMs <= nowMs
        ? []
        : message.commands.map(command => ({ command, replyTo: message.replyTo }))
    )
    const commands = asked.map(({ command }) => command)
    const { database } = this.#worker
    this.#worker.dispatch({ kind: 'executing' })
    this.#world.ambush.happens('working', this.#worker.id)
    database.transact([() => database.execute(commands, this.#term)], {
      ended: how => {
        const { last } = this.#worker.disk
        this.#world.ambush.happens('committed', this.#worker.id)
        this.#worker.soon(() => this.#ended({ batch, asked, last }, how))
      },
      lost: () => this.#worker.after(0, () => this.#worker.end('lost'))
    })
  }

  #ended(
    of: {
      batch: readonly Taken[]
      asked: readonly { command: WriteCommand; replyTo: string }[]
      last: Worker['state']['last']
    },
    how: Ended<readonly Executed[][]>
  ): void {
    if ('refused' in how) {
      this.#worker.dispatch({ kind: 'refused', why: how.refused, last: of.last })
      this.#writes.done()
      return
    }
    const executed = how.done[0] ?? []
    const index = toldAt(this.#worker.state.last.index, executed)
    const answers = of.asked.map(({ command, replyTo }, i) => {
      const told = { requestId: command.requestId, executed: executed[i] as Executed }
      return { replyTo, told }
    })
    const deliveries = of.batch.map(({ delivery }) => delivery)
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
