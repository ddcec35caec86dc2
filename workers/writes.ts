/**
 * Writes at the master: executes what waits in `writeQ`, fairly among clients
 * (write-schedule.ts), and answers when it is committed in the cluster. A delivery is
 * acknowledged only with its answers (deliveries.ts).
 *
 * A suspect, which may have ended an earlier master, is executed alone, and only once an
 * entry says that its execution begins. Where that entry is of an earlier term, it has
 * brought down that term's master too, and is refused (docs/decisions/harmful-writes.md).
 */
import type { Channel, ConsumeMessage } from 'amqplib'
import type { AmqpLink } from '../platform/amqp.ts'
import { decodeWrites, type WriteCommand, type WriteMessage } from '../wire/requests.ts'
import { nowMs } from './clock.ts'
import { Deliveries } from './deliveries.ts'
import type { Entry } from './entry.ts'
import { type Loop, refusal } from './loop.ts'
import type { CommitTimes } from './metrics.ts'
import type { Outbox } from './outbox.ts'
import { harmful } from './postgres/refusals.ts'
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
} from './protocol/answers.ts'
import type { View } from './protocol/view.ts'
import type { Bystanders, Executed, Postponed, Store } from './store.ts'
import type { Teller } from './telling.ts'
import { type Held, hold, refusedIn, settled, termOf, type Waiting } from './write-answers.ts'
import { WriteSchedule } from './write-schedule.ts'

/** Finds what is held up, and what nobody waits for any more. */
const LOOK_MS = 50
/**
 * Characters of entries that are not committed and of answers that have not left. Nothing is
 * executed beyond, so that replicas never have more to apply than what they confirm in time, and
 * a small write waits at them for one large entry at most.
 */
const UNTOLD_MAX = 4 * 1024 * 1024

export interface Writes {
  /** Begins to consume; ends with the channel, when the worker no longer leads. */
  start(link: AmqpLink, term: number): Promise<void>
  stop(): void
}

interface WritesOptions {
  readonly loop: Loop
  readonly store: Store
  readonly times: CommitTimes
  readonly teller: Teller
  readonly outbox: Outbox
  readonly failed: (error: unknown) => void
  /** Breaks the connection: a queue that should be consumed is not. */
  readonly drop: () => void
  /** Told of each request that was refused because it is harmful. */
  readonly harmful: (requestId: string) => void
}

export function openWrites(options: WritesOptions): Writes {
  const { loop } = options
  let session: Session | null = null
  /** Ends when the last batch of the last session has: one transaction at a time. */
  let executing: Promise<void> = Promise.resolve()
  loop.onStep(view => session?.step(view))
  return {
    async start(link, term) {
      const channel = await link.consumeConnection.createChannel()
      const opened = new Session({ ...options, channel, link, term, before: executing })
      session = opened
      channel.on('error', () => {}).on('close', () => opened.lost())
      await opened.open()
    },
    stop() {
      session?.close()
      executing = session?.done ?? executing
      session = null
    }
  }
}

interface SessionOptions extends WritesOptions {
  readonly channel: Channel
  readonly link: AmqpLink
  readonly term: number
  /** What a former session of this process may still execute. */
  readonly before: Promise<void>
}

/** One mastership over one connection. */
class Session {
  readonly #options: SessionOptions
  readonly #deliveries: Deliveries
  readonly #schedule = new WriteSchedule<Waiting>()
  /** Left to the next master, to which they go when the channel ends. */
  #ahead: Waiting[] = []
  /** Request ids: every copy of one is a suspect. */
  readonly #suspects = new Set<string>()
  #remembers = false
  readonly #looking: NodeJS.Timeout
  #held: Held[] = []
  /** Characters of what is held. */
  #untold = 0
  #executing = false
  #open = true
  #stepped: () => void = () => {}
  /** Ends when nothing is executed any more. */
  done: Promise<void>

  constructor(options: SessionOptions) {
    this.#options = options
    this.done = options.before
    const { channel, term } = options
    this.#deliveries = new Deliveries(channel, { term, take: message => this.#take(message) })
    this.#looking = setInterval(() => this.#look(), LOOK_MS)
  }

  open(): Promise<void> {
    return this.#deliveries.open()
  }

  lost(): void {
    if (this.#open) this.#options.drop()
  }

  /** Unanswered deliveries go back to the queue with the channel. */
  close(): void {
    this.#open = false
    clearInterval(this.#looking)
    this.#schedule.clear()
    this.#ahead = []
    this.#held = []
    this.#stepped()
    void this.#options.channel.close().catch(() => {})
  }

  /** Begins what waited for a handover that came to nothing, and lets answers go. */
  step(view: View): void {
    this.#stepped()
    if (mayExecute(view)) this.#begin()
    this.#release(view)
  }

  #look(): void {
    const atMs = nowMs()
    this.#expire(atMs)
    this.#deliveries.look(atMs)
  }

  #take(message: ConsumeMessage | null): void {
    if (message === null) this.lost()
    if (message === null || !this.#open) return
    const asked = decoded(message)
    const { redelivered } = message.fields
    if (asked === null || isLeftOver({ redelivered, term: asked.term }, this.#options.term)) {
      this.#options.channel.nack(message, false, false)
    } else this.#accept(message, asked)
  }

  #accept(message: ConsumeMessage, { replyTo, term, commands }: WriteMessage): void {
    const receivedMs = nowMs()
    const delivery = { message, replyTo, receivedMs, left: commands.length }
    this.#deliveries.add(delivery)
    const suspects = this.#suspects
    const terms = { sent: term, own: this.#options.term }
    const bytes = message.content.length / commands.length
    for (const command of commands) {
      const { requestId, client = '', ttlMs } = command
      if (isSuspect(command, terms)) suspects.add(requestId)
      const waiting: Waiting = {
        ...{ command, delivery, client, bytes, expiresAtMs: receivedMs + ttlMs },
        get suspect() {
          return suspects.has(requestId)
        }
      }
      if (isAhead(terms)) this.#ahead.push(waiting)
      else this.#schedule.add(waiting)
    }
    this.#begin()
  }

  #begin(): void {
    if (this.#executing || this.#schedule.size === 0) return
    this.#executing = true
    this.done = this.done.then(() => this.#execute()).catch(this.#options.failed)
  }

  #release(view: View): void {
    while (this.#held[0] !== undefined && mayLeave(this.#held[0], view)) {
      this.#send(this.#held.shift() as Held)
    }
  }

  #send({ answered, replies, size, sinceMs, told }: Held): void {
    const { outbox, times } = this.#options
    this.#untold -= size
    let sendings = replies.size
    const left = () => {
      sendings -= 1
      if (sendings === 0) this.#settle(answered)
    }
    const expiresAtMs = Math.max(...answered.map(one => one.expiresAtMs))
    for (const [replyTo, answers] of replies) {
      outbox.send({ replyTo, replies: answers, client: '', isWrite: true, expiresAtMs, left })
    }
    times.confirm(nowMs() - sinceMs)
    told()
  }

  #settle(waiting: readonly Waiting[]): void {
    this.#deliveries.settle(waiting.map(({ delivery }) => delivery))
  }

  /** Nobody waits any more for what has passed its deadline. */
  #expire(atMs: number): void {
    const gone = [
      ...this.#schedule.expire(atMs),
      ...this.#ahead.filter(({ expiresAtMs }) => expiresAtMs <= atMs)
    ]
    this.#ahead = this.#ahead.filter(({ expiresAtMs }) => expiresAtMs > atMs)
    if (gone.length > 0) this.#settle(gone)
  }

  async #execute(): Promise<void> {
    await this.#remember()
    while (this.#open && mayExecute(this.#options.loop.view)) {
      if (this.#untold + this.#options.outbox.writeBytes > UNTOLD_MAX) {
        await this.#nextStep()
        continue
      }
      this.#expire(nowMs())
      const picked = this.#schedule.next(nowMs())
      if (picked === undefined) break
      if (picked.kind === 'together') await this.#executeBatch(picked.items)
      else await this.#executeSuspect(picked.item)
    }
    this.#executing = false
  }

  /** What earlier masters began and did not finish is suspect, whoever asks for it now. */
  async #remember(): Promise<void> {
    if (this.#remembers) return
    for (const id of await this.#options.store.begun()) this.#suspects.add(begunIn(id))
    this.#remembers = true
  }

  /** @param toTheEnd whether it goes on behind its deadline */
  async #executeBatch(batch: readonly Waiting[], toTheEnd = false): Promise<void> {
    const { store, term } = this.#options
    const deadlines = new Map(batch.map(({ command, expiresAtMs }) => [command, expiresAtMs]))
    const bystanders: Bystanders = {
      othersWait: client => this.#schedule.othersWait(client),
      isExpired: command => !toTheEnd && (deadlines.get(command) ?? 0) <= nowMs()
    }
    await this.#run(batch, () => store.execute([...deadlines.keys()], term, bystanders))
  }

  /** Tells the log first that it begins; what was begun in this term may begin again. */
  async #executeSuspect(one: Waiting): Promise<void> {
    const { store, term, loop } = this.#options
    const { command } = one
    if ((await store.outcome(command.requestId)) !== undefined) return this.#executeBatch([one])
    const begun = await this.#append(begunBy(command))
    if (begun === undefined) return
    if (isHarmful(termOf(begun), term)) {
      const refuse = () => store.refuse(command, harmful(), term)
      await this.#run([one], async () => [await refuse()])
    } else if (await this.#committed(toldAt(0, [begun]))) {
      // What has begun is finished: a later term would take it for harmful.
      await this.#executeBatch([one], true)
    } else {
      // It leads no more: the next master decides.
      loop.dispatch({ kind: 'executed', term, entries: [] })
    }
  }

  /** Appends an entry without an answer; the work that it belongs to goes on. */
  async #append(command: WriteCommand): Promise<Executed | undefined> {
    const { loop, store, term } = this.#options
    loop.dispatch({ kind: 'executing' })
    try {
      const [executed] = (await store.execute([command], term)).map(settled)
      const entries = executed?.kind === 'entry' ? [executed.entry] : []
      loop.dispatch({ kind: 'executed', term, entries, goesOn: true })
      return executed
    } catch (error) {
      loop.dispatch(refusal(error, store.last))
      return undefined
    }
  }

  /** @returns whether it was committed while this session may still answer */
  async #committed(index: number): Promise<boolean> {
    const { loop, term } = this.#options
    for (;;) {
      const { view } = loop
      if (!this.#open || !view.leads || view.term !== term) return false
      if (view.commitIndex >= index) return true
      await this.#nextStep()
    }
  }

  #nextStep(): Promise<void> {
    return new Promise(resolve => {
      this.#stepped = resolve
    })
  }

  async #run(
    batch: readonly Waiting[],
    work: () => Promise<readonly (Executed | Postponed)[]>
  ): Promise<void> {
    const { loop, store, term, times, teller } = this.#options
    const beganMs = nowMs()
    for (const { receivedMs } of new Set(batch.map(({ delivery }) => delivery))) {
      times.queue(beganMs - receivedMs)
    }
    loop.dispatch({ kind: 'executing' })
    const { committedMs } = store
    let outcomes: readonly (Executed | Postponed)[]
    try {
      outcomes = await work()
    } catch (error) {
      return loop.dispatch(refusal(error, store.last))
    }
    const commitMs = store.committedMs - committedMs
    const ms = nowMs() - beganMs - commitMs
    const answered = batch.filter((_, i) => outcomes[i]?.kind !== 'postponed')
    const executed = outcomes.filter(outcome => outcome.kind !== 'postponed')
    this.#schedule.took(answered, ms, nowMs())
    if (this.#open) this.#schedule.putBack(batch.filter(one => !answered.includes(one)))
    times.executed({ commands: answered.length, ms, commitMs })
    const before = loop.state.last.index
    const writes = answered.map(({ command, delivery }) => ({ command, ...delivery }))
    const told = teller.begin({ term, writes, executed })
    if (this.#open) {
      const held = hold({ answered, executed, before, told })
      this.#untold += held.size
      this.#held.push(held)
    }
    const entries = executed.flatMap((outcome): Entry[] =>
      outcome.kind === 'entry' ? [outcome.entry] : []
    )
    loop.dispatch({ kind: 'executed', term, entries })
    this.#release(loop.view)
    for (const id of refusedIn(entries)) this.#options.harmful(id)
  }
}

/** Null for what no orchestrator sends: it must not end one master after the other. */
function decoded(message: ConsumeMessage): WriteMessage | null {
  try {
    return decodeWrites(message.content)
  } catch {
    return null
  }
}
