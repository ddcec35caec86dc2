/**
 * Workers in containers, on one Docker engine or several. A place is a volume and the
 * container that uses it; every orchestrator finds both again by their labels.
 * Invariants:
 * - A start that fails is told as a death, so that the supervisor's backoff holds for it.
 * - Engines may join; none ever goes from the list.
 * - An engine that is away keeps its places for a while; after that they count as dead,
 *   and workers are started elsewhere. While no engine is up, nothing is concluded.
 */
import { randomBytes } from 'node:crypto'
import type { Logger } from '../../platform/log.ts'
import type { Engine } from './docker/engine.ts'
import { EngineDownError } from './docker/errors.ts'
import { type EngineHost, emptiest, parseHosts } from './docker/hosts.ts'
import type { Death, Engines, Place, Runtime } from './runtime.ts'

/** An engine that is started again is back by then. */
const LOST_MS = 15_000

export interface DockerRuntimeOptions {
  readonly hosts: readonly EngineHost[]
  readonly open: (host: EngineHost, onDeath: (death: Death) => void) => Engine
  readonly log: Logger
  readonly lostMs?: number
}

export class DockerRuntime implements Runtime {
  readonly engines: Engines = {
    list: () =>
      this.#engines.map(({ name, reach, seen, count }) => {
        return { url: name, reached: seen && !reach.away, workers: count }
      }),
    join: url => this.#join(url),
    probe: async url => {
      await Promise.all(parseHosts(url).map(host => this.#open(host).probe()))
    }
  }
  readonly #engines: Engine[]
  readonly #open: (host: EngineHost) => Engine
  readonly #log: Logger
  readonly #lostMs: number
  readonly #listeners = new Set<(death: Death) => void>()
  /** Places whose first container could not be made so far; nothing of them is on any engine. */
  readonly #unmade = new Set<string>()
  readonly #lost = new Set<Engine>()
  #attends = false

  constructor({ hosts, open, log, lostMs = LOST_MS }: DockerRuntimeOptions) {
    this.#open = host => open(host, death => this.#tell(death))
    this.#engines = hosts.map(this.#open)
    this.#log = log
    this.#lostMs = lostMs
  }

  async list(): Promise<readonly Place[]> {
    const places = (await Promise.all(this.#engines.map(engine => this.#look(engine)))).flat()
    for (const { name } of places) this.#unmade.delete(name)
    const unmade = [...this.#unmade].map(name => ({ name, workerId: null, pid: null }))
    return [...places, ...unmade].sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  attend(): Promise<readonly Place[]> {
    this.#attends = true
    for (const engine of this.#engines) engine.attend()
    return this.list()
  }

  onDeath(listener: (death: Death) => void): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) }
  }

  async create(): Promise<string> {
    const name = randomBytes(4).toString('hex')
    this.#unmade.add(name)
    await this.start(name)
    return name
  }

  async start(name: string): Promise<void> {
    const up = this.#engines.filter(({ reach }) => !reach.away)
    const engine = this.#engineOf(name) ?? emptiest(up)
    try {
      if (engine === undefined) throw new EngineDownError('no engine can be reached')
      await engine.start(name)
      await engine.look()
    } catch (err) {
      this.#log.error({ err, name, engine: engine?.name }, 'worker container not started')
      this.#tell({ name, workerId: null, pid: null })
    }
  }

  async discard(name: string, mayGo: () => Promise<boolean>): Promise<void> {
    this.#unmade.delete(name)
    await this.#engineOf(name)?.remove(name, mayGo)
  }

  async kill(workerId: string): Promise<number | null> {
    const place = (await this.list()).find(one => one.workerId === workerId)
    return place === undefined
      ? null
      : ((await this.#engineOf(place.name)?.kill(place.name)) ?? null)
  }

  async stop({ last, graceMs }: { last: string | null; graceMs: number }): Promise<void> {
    const running = (await this.list()).filter(({ pid }) => pid !== null)
    const stopAll = (chosen: readonly Place[]) =>
      Promise.all(chosen.map(({ name }) => this.#engineOf(name)?.stop(name, graceMs / 2)))
    await stopAll(running.filter(({ workerId }) => workerId === null || workerId !== last))
    await stopAll(running.filter(({ workerId }) => workerId !== null && workerId === last))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listeners.clear()
    await Promise.all(this.#engines.map(engine => engine[Symbol.asyncDispose]()))
  }

  #join(url: string): void {
    const known = new Set(this.#engines.map(({ name }) => name))
    for (const host of parseHosts(url).filter(({ name }) => !known.has(name))) {
      const engine = this.#open(host)
      if (this.#attends) engine.attend()
      this.#engines.push(engine)
      this.#log.info({ engine: engine.name }, 'engine joined')
    }
  }

  /** @throws EngineDownError when it may have places, and was never seen */
  async #look(engine: Engine): Promise<readonly Place[]> {
    const places = await engine.look()
    const othersUp = this.#engines.some(other => other !== engine && !other.reach.away)
    if (othersUp && engine.reach.awayMs() > this.#lostMs) {
      if (!this.#lost.has(engine)) {
        this.#log.error({ engine: engine.name }, 'engine is lost: its workers count as dead')
      }
      this.#lost.add(engine)
      return []
    }
    if (!engine.reach.away) this.#lost.delete(engine)
    if (places === null) throw new EngineDownError(`${engine.name} was not reached yet`)
    return places
  }

  #engineOf(name: string): Engine | undefined {
    return this.#engines.find(engine => engine.has(name))
  }

  #tell(death: Death): void {
    for (const listener of [...this.#listeners]) listener(death)
  }
}
