/**
 * Watching one node, or the children of one. ZooKeeper's own watches fire once and
 * are lost with the connection, so everything is read again after each (re)connect
 * and a watch is set with each read. A burst of changes may be told as one, with the
 * last value; a value may be told again after a reconnect.
 */
import { Coalesced } from './coalesced.ts'
import { type Found, type Link, ZooKeeperUnavailableError } from './link.ts'

export interface Reader {
  /** The present link, if there is one. */
  link(): Link | undefined
  /** A node that cannot be read, though ZooKeeper answers. */
  refused(err: unknown): void
}

/** Something that is read again after each (re)connect. */
export interface Watching {
  refresh(): void
}

export class NodeWatch implements Watching, Disposable {
  readonly #read = new Coalesced(() => this.#readAndTell())
  readonly #reader: Reader
  readonly #path: string
  #listener: ((node: Found | undefined) => void) | undefined

  constructor(reader: Reader, path: string, listener: (node: Found | undefined) => void) {
    this.#reader = reader
    this.#path = path
    this.#listener = listener
  }

  refresh(): void {
    this.#read.ask()
  }

  [Symbol.dispose](): void {
    this.#listener = undefined
  }

  async #readAndTell(): Promise<void> {
    const link = this.#reader.link()
    if (link === undefined || this.#listener === undefined) return
    const node = await attempt(this.#reader, async () => ({ found: await this.#readFrom(link) }))
    if (node !== undefined) this.#listener?.(node.found)
  }

  async #readFrom(link: Link): Promise<Found | undefined> {
    const changed = () => this.refresh()
    for (;;) {
      const found = await link.get(this.#path, changed)
      if (found !== undefined) return found
      // No watch is set on what is not there; it may have come in between, then read again.
      if ((await link.exists(this.#path, changed)) === undefined) return undefined
    }
  }
}

export class ChildrenWatch implements Watching, Disposable {
  readonly #read = new Coalesced(() => this.#readAndTell())
  readonly #reader: Reader
  readonly #path: string
  #listener: ((nodes: ReadonlyMap<string, Found>) => void) | undefined
  readonly #nodes = new Map<string, Found>()
  /** What has to be read: the list of children, and the data of these. */
  #listChanged = true
  readonly #changed = new Set<string>()

  constructor(reader: Reader, path: string, listener: (nodes: ReadonlyMap<string, Found>) => void) {
    this.#reader = reader
    this.#path = path
    this.#listener = listener
  }

  refresh(): void {
    this.#listChanged = true
    for (const name of this.#nodes.keys()) this.#changed.add(name)
    this.#read.ask()
  }

  [Symbol.dispose](): void {
    this.#listener = undefined
  }

  async #readAndTell(): Promise<void> {
    const link = this.#reader.link()
    if (link === undefined || this.#listener === undefined) return
    const read = await attempt(this.#reader, async () => {
      if (this.#listChanged) await this.#readList(link)
      await this.#readChanged(link)
      return true
    })
    if (read === true) this.#listener?.(new Map(this.#nodes))
  }

  async #readList(link: Link): Promise<void> {
    this.#listChanged = false
    const changed = () => {
      this.#listChanged = true
      this.#read.ask()
    }
    const names = await link.children(this.#path, changed)
    // No watch is set on the children of what is not there.
    if (names === undefined && (await link.exists(this.#path, changed)) !== undefined) changed()
    const present = new Set(names)
    for (const name of this.#nodes.keys()) if (!present.has(name)) this.#nodes.delete(name)
    for (const name of present) if (!this.#nodes.has(name)) this.#changed.add(name)
  }

  async #readChanged(link: Link): Promise<void> {
    const names = [...this.#changed]
    this.#changed.clear()
    const read = async (name: string) => {
      const found = await link.get(`${this.#path}/${name}`, () => {
        this.#changed.add(name)
        this.#read.ask()
      })
      if (found === undefined) this.#nodes.delete(name)
      else this.#nodes.set(name, found)
    }
    await Promise.all(names.map(read))
  }
}

/** Undefined when it could not be read; after a lost connection the next one refreshes all. */
async function attempt<T>(reader: Reader, read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read()
  } catch (err) {
    if (!(err instanceof ZooKeeperUnavailableError)) reader.refused(err)
    return undefined
  }
}
