/**
 * Keeps a simulated worker's znode in step with what it is, and tells the protocol when
 * a candidacy stands there, as workers/publish.ts and registration.ts do.
 */
import type { Peer, State } from '../../workers/protocol/state.ts'
import { isNamed } from '../../workers/protocol/steps.ts'
import type { View } from '../../workers/protocol/view.ts'
import type { Worker } from './worker.ts'
import type { World } from './world.ts'
import type { Session } from './zookeeper.ts'

const RETRY_MS = 40

export class Registration {
  readonly #world: World
  readonly #worker: Worker
  #peer: Peer | null = null
  #revision = 0
  /** What is there, and in which session. */
  #written = 0
  #session: Session | null = null
  #writing = false
  /** Candidacies that the protocol waits to see there. */
  #waiters: { readonly revision: number; readonly term: number }[] = []

  constructor(world: World, worker: Worker) {
    this.#world = world
    this.#worker = worker
  }

  show(view: View, state: State): void {
    const { role, term, diverged, inDoubt, yields } = view
    const shown = this.#peer
    const isSame =
      shown?.role === role &&
      shown.term === term &&
      shown.diverged === diverged &&
      shown.inDoubt === inDoubt &&
      shown.yields === yields &&
      shown.reachesAmqp === state.amqp
    if (isSame) {
      this.#settle()
      return
    }
    this.#update({ role, term, diverged, inDoubt, yields, reachesAmqp: state.amqp }, state)
    if (role === 'candidate') this.#waiters.push({ revision: this.#revision, term })
  }

  /** Written again and again: a late write of a dead predecessor's does not stay. */
  showFigures(state: State): void {
    this.#update({}, state)
  }

  /** It is registered again when it vanishes. */
  seen(isThere: boolean): void {
    if (isThere || this.#writing) return
    this.#session = null
    this.#settle()
  }

  #update(changes: Partial<Peer>, state: State): void {
    const { index, term } = state.last
    const before: Omit<Peer, 'last' | 'needsFrom'> = this.#peer ?? {
      pid: this.#worker.pid,
      role: 'starting',
      term: 0,
      reachesAmqp: false,
      diverged: false,
      yields: false
    }
    const needsFrom = isNamed(state) ? null : index
    this.#peer = { ...before, ...changes, last: { index, term }, needsFrom }
    this.#revision += 1
    this.#settle()
  }

  /** Writes what is not there yet; with a new session it takes the place of the old znode. */
  #settle(): void {
    const { zookeeper, id } = this.#worker
    const isDone = this.#written === this.#revision && this.#session === zookeeper.session
    const peer = this.#peer
    if (isDone || this.#writing || peer === null || !zookeeper.connected) return
    this.#writing = true
    const revision = this.#revision
    const { session } = zookeeper
    const server = this.#world.zookeeper
    const isNew = this.#session !== session
    let isThere = true
    zookeeper.change(
      () => {
        if (isNew) server.replaceZnode(id, session, peer)
        else isThere = server.writeZnode(id, peer)
      },
      answered => {
        this.#writing = false
        if (!answered) {
          this.#worker.after(RETRY_MS, () => this.#settle())
          return
        }
        this.#session = isThere ? session : null
        if (isThere) this.#written = revision
        this.#tell()
        this.#settle()
      }
    )
  }

  #tell(): void {
    const done = this.#waiters.filter(({ revision }) => revision <= this.#written)
    this.#waiters = this.#waiters.filter(({ revision }) => revision > this.#written)
    for (const { term } of done) this.#worker.dispatch({ kind: 'published', term })
  }
}
