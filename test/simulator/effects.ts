/**
 * Carries out what a simulated worker decides, as workers/loop.ts does: work is begun,
 * and what became of it comes back as an event.
 */
import { type Entry, ORIGIN } from '../../workers/entry.ts'
import type { Message } from '../../workers/protocol/messages.ts'
import type { Effect, Event } from '../../workers/protocol/state.ts'
import type { Ended } from './database.ts'
import type { Connection } from './rabbitmq-client.ts'
import type { Worker } from './worker.ts'
import type { World } from './world.ts'

/** Entries that one answer to a `fetch` carries. */
const SERVED_MAX = 40

type Of<T extends Effect['do']> = Extract<Effect, { do: T }>

export class Effects {
  readonly #world: World
  readonly #worker: Worker
  #connection: Connection | null = null
  #reading = false
  #readAgain = false

  constructor(world: World, worker: Worker) {
    this.#world = world
    this.#worker = worker
  }

  /** Null while its queues are not declared. */
  get connection(): Connection | null {
    const connection = this.#connection
    return connection?.open === true ? connection : null
  }

  set connection(connection: Connection | null) {
    this.#connection = connection
  }

  perform(effect: Effect): void {
    switch (effect.do) {
      case 'readState':
        this.#readState()
        break
      case 'cas':
        this.#compareAndSet(effect)
        break
      case 'remember':
        this.#remember(effect.term)
        break
      case 'beginTerm':
        this.#beginTerm(effect.term)
        break
      case 'apply':
        this.#apply(effect)
        break
      case 'cancelWork':
        this.#worker.database.cancel()
        break
      case 'compare':
        this.#compare(effect)
        break
      case 'send':
        this.connection?.send(effect.to, effect.message)
        break
      case 'serve':
        this.#serve(effect)
        break
      case 'startOver':
        this.#worker.end('startOver')
        break
    }
  }

  /** One read of `/state` at a time; a wish that comes meanwhile is met by one more. */
  #readState(): void {
    this.#readAgain = true
    if (this.#reading) return
    this.#reading = true
    this.#readAgain = false
    const beganMs = this.#world.timeline.nowMs
    this.#world.ambush.happens('reading', this.#worker.id)
    this.#worker.zookeeper.read(shown => {
      this.#reading = false
      if (shown === undefined) return
      this.#worker.dispatch({ kind: 'stateRead', node: shown.node, beganMs })
      if (this.#readAgain) this.#readState()
    })
  }

  #compareAndSet({ version, to }: Of<'cas'>): void {
    this.#world.ambush.happens('changing', this.#worker.id)
    this.#worker.zookeeper.compareAndSet({ version, to }, (node, beganMs) =>
      this.#worker.dispatch({ kind: 'casSettled', node, beganMs })
    )
  }

  #remember(term: number): void {
    const { database, state } = this.#worker
    const stateVersion = state.known?.state.term === term ? state.known.version : 0
    database.after(this.#world.commitDelay(), () => {
      database.remember({ term, stateVersion })
      this.report({ kind: 'remembered', term, stateVersion })
    })
  }

  #beginTerm(term: number): void {
    const { database } = this.#worker
    this.work([() => database.beginTerm(term)], ([entry]) => ({
      kind: 'termBegun',
      term,
      entry: entry as Entry
    }))
  }

  /** Long work is several transactions: it can be cut off when some of them are committed. */
  #apply({ entries, term }: Of<'apply'>): void {
    const { database, disk } = this.#worker
    const { dice } = this.#world
    const middle = entries.length > 1 && dice.chance(0.3) ? dice.between(1, entries.length - 1) : 0
    const parts = middle === 0 ? [entries] : [entries.slice(0, middle), entries.slice(middle)]
    this.work(
      parts.map(part => () => database.apply(part, term)),
      () => ({ kind: 'applied', term, last: disk.last })
    )
  }

  /** @param done what the transactions' results mean to the protocol */
  work<T>(parts: readonly (() => Ended<T>)[], done: (results: readonly T[]) => Event): void {
    const { database, disk, id } = this.#worker
    this.#world.ambush.happens('working', id)
    database.transact(parts, {
      ended: how => {
        const { last } = disk
        this.#world.ambush.happens('committed', id)
        this.report('done' in how ? done(how.done) : { kind: 'refused', why: how.refused, last })
      },
      lost: () => this.#worker.after(0, () => this.#worker.end('lost'))
    })
  }

  /** The worker learns of it at once, a little later, or never. */
  report(event: Event): void {
    this.#worker.soon(() => this.#worker.dispatch(event))
  }

  #compare({ term, index, checksum }: Of<'compare'>): void {
    const { database, disk } = this.#worker
    database.after(this.#world.delay(), () => {
      const stored = disk.checksumAt(index)
      if (stored !== undefined) this.report({ kind: 'compared', term, equal: stored === checksum })
    })
  }

  #serve({ to, after, append }: Of<'serve'>): void {
    const { database, disk } = this.#worker
    database.after(this.#world.delay(), () => {
      const message = served(disk.base.index, after)
      this.#worker.soon(() => this.connection?.send(to, message))
    })
    function served(base: number, index: number): Message {
      if (index < base) return { kind: 'pruned', term: append.term, from: append.from }
      const checksum = index === 0 ? ORIGIN.checksum : disk.checksumAt(index)
      if (checksum === undefined) return { ...append, prev: disk.last, entries: [] }
      const begin = index - base
      const entries = disk.log.slice(begin, begin + SERVED_MAX)
      return { ...append, prev: { index, checksum }, entries }
    }
  }
}
