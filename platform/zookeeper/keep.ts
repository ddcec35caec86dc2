/**
 * An ephemeral node that this process keeps.
 * Invariants:
 * - It is registered again when it vanishes, and with each new session.
 * - What a former session (of this process, or of the one before it) left at the path
 *   is replaced in one transaction, so that nobody sees it gone.
 * - Within one session it is never taken from another owner: the newest registration
 *   wins, and two processes of one id do not throw each other out in turn.
 */
import type { Logger } from '../log.ts'
import { Coalesced } from './coalesced.ts'
import { type Link, ZooKeeperRefusedError, ZooKeeperUnavailableError } from './link.ts'
import type { Reader, Watching } from './watches.ts'

const REFUSED_RETRY_MS = 1_000
const NO_NODE = -101

export interface Kept extends AsyncDisposable {
  /** Resolves when this data, or later data, is there. Rejects only when the node is given up. */
  update(data: string): Promise<void>
}

/** What a kept node needs of its client. */
export interface Keeper extends Reader {
  readonly log: Logger
  /** Number of the present session. */
  session(): number
  forget(kept: Watching): void
}

interface Waiter {
  readonly revision: number
  resolve(): void
  reject(err: Error): void
}

export class KeptNode implements Kept, Watching {
  readonly #settle = new Coalesced(() => this.#trySettle())
  readonly #keeper: Keeper
  readonly #path: string
  #data: string
  #revision = 1
  /** What is there: the revision, registered in which session (0: in none). */
  #written = 0
  #session = 0
  #watched = false
  #waiters: Waiter[] = []
  #givenUp = false

  constructor(keeper: Keeper, path: string, data: string) {
    this.#keeper = keeper
    this.#path = path
    this.#data = data
  }

  update(data: string): Promise<void> {
    this.#data = data
    this.#revision += 1
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    promise.catch(() => {}) // the caller need not wait
    this.#waiters.push({ revision: this.#revision, resolve, reject })
    if (this.#givenUp) this.#rejectWaiters()
    else this.#settle.ask()
    return promise
  }

  /** After a (re)connect: the watch is gone, and perhaps the node with the session. */
  refresh(): void {
    this.#watched = false
    this.#settle.ask()
  }

  /** Removes the node now if ZooKeeper answers; otherwise it ends with the session. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#givenUp) return
    this.#givenUp = true
    this.#keeper.forget(this)
    this.#rejectWaiters()
    const registered = this.#session === this.#keeper.session()
    if (registered)
      await this.#keeper
        .link()
        ?.remove(this.#path, -1)
        .catch(() => {})
  }

  #rejectWaiters(): void {
    for (const { reject } of this.#waiters.splice(0)) {
      reject(new ZooKeeperUnavailableError(`${this.#path} is no longer kept`))
    }
  }

  async #trySettle(): Promise<void> {
    const link = this.#keeper.link()
    if (link === undefined || this.#givenUp) return
    try {
      if (this.#session !== this.#keeper.session()) await this.#register(link)
      else if (this.#written !== this.#revision) await this.#write(link)
      else if (!this.#watched) await this.#look(link)
      else return
      this.#settle.ask()
    } catch (err) {
      if (err instanceof ZooKeeperUnavailableError) return // the next link asks again
      this.#keeper.refused(err)
      setTimeout(() => this.#settle.ask(), REFUSED_RETRY_MS).unref()
    }
  }

  async #register(link: Link): Promise<void> {
    const revision = this.#revision
    const session = this.#keeper.session()
    const stat = await link.exists(this.#path)
    const own = stat?.ephemeralOwner.equals(link.session.id) === true
    let done: boolean
    if (stat === undefined) done = await this.#create(link)
    else if (own) done = (await link.write(this.#path, this.#data, -1)) !== undefined
    else done = await link.replace(this.#path, this.#data)
    if (!done) return // it came or went meanwhile: look again
    this.#session = session
    this.#watched = false
    this.#wrote(revision)
  }

  async #create(link: Link): Promise<boolean> {
    try {
      return await link.create(this.#path, this.#data, true)
    } catch (err) {
      if (!(err instanceof ZooKeeperRefusedError && err.code === NO_NODE)) throw err
      const names = this.#path.split('/').slice(1, -1)
      const parents = names.map((_name, i) => `/${names.slice(0, i + 1).join('/')}`)
      await Promise.all(parents.map(parent => link.create(parent, '', false)))
      return false
    }
  }

  async #write(link: Link): Promise<void> {
    const revision = this.#revision
    const version = await link.write(this.#path, this.#data, -1)
    if (version === undefined) this.#session = 0
    else this.#wrote(revision)
  }

  #wrote(revision: number): void {
    this.#written = revision
    const done = this.#waiters.filter(waiter => waiter.revision <= revision)
    this.#waiters = this.#waiters.filter(waiter => waiter.revision > revision)
    for (const { resolve } of done) resolve()
  }

  async #look(link: Link): Promise<void> {
    this.#watched = true
    const stat = await link.exists(this.#path, () => this.refresh())
    if (stat === undefined) this.#session = 0
    else if (!stat.ephemeralOwner.equals(link.session.id)) {
      this.#keeper.log.warn({ path: this.#path }, 'znode taken over by another process')
    }
  }
}
