/**
 * One Docker engine: the places of this cluster that are on it. What runs is read anew
 * after each event, each act of our own and each reconnect, and now and then.
 * Invariants:
 * - Nothing is touched that has not this cluster's label.
 * - A place is shown without a worker's id only when its volume was seen to hold none.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type Docker from 'dockerode'
import type { Container, ContainerInfo } from 'dockerode'
import { childOf, type Logger } from '../../../platform/log.ts'
import type { Death, Place } from '../runtime.ts'
import { readJson } from './archive.ts'
import {
  containerOptions,
  type DockerSettings,
  lifeOf,
  nameOf,
  newLife,
  ownLabels,
  placeLabels,
  placeOf,
  WORKER_DIR
} from './containers.ts'
import { EngineDownError, isStatus, unless } from './errors.ts'
import { followEvents } from './events.ts'
import { isAlive, type Life, Lives } from './lives.ts'
import { Reach } from './reach.ts'

const LISTING_MAX_MS = 5_000
/** While a worker's id is still to come. */
const INCOMPLETE_MAX_MS = 500
const REMOVED_WITHIN_MS = 10_000
const POLL_MS = 50

export interface EngineOptions {
  /** As the settings name it. */
  readonly name: string
  /** Under which workers in the network of its machine are reached from others. */
  readonly address: string | null
  readonly docker: Docker
  /** For events: a connection that may be silent for long. */
  readonly events: Docker
  readonly settings: DockerSettings
  readonly log: Logger
  /** Told only while it attends. */
  readonly onDeath: (death: Death) => void
}

export class Engine implements AsyncDisposable {
  readonly reach: Reach
  readonly #options: EngineOptions
  readonly #log: Logger
  readonly #lives: Lives
  /** By container: one holds one worker all its life. */
  readonly #workerIds = new Map<string, string | null>()
  readonly #starting = new Set<string>()
  readonly #ended = new AbortController()
  #places: readonly Place[] | null = null
  #listing: Promise<readonly Place[]> | null = null
  #listedAtMs = Number.NEGATIVE_INFINITY
  #following: Promise<void> | null = null

  constructor(options: EngineOptions) {
    this.#options = options
    this.#log = childOf(options.log, { engine: options.name })
    this.reach = new Reach(this.#log)
    const onDeath = (death: Death) => {
      this.#outdate()
      if (this.#following !== null) options.onDeath(death)
    }
    this.#lives = new Lives({ log: this.#log, onDeath })
  }

  get name(): string {
    return this.#options.name
  }

  get count(): number {
    return this.#places?.length ?? 0
  }

  /** Whether it was ever reached. */
  get seen(): boolean {
    return this.#places !== null
  }

  /** @throws Error when it does not answer, or has no image of a worker */
  async probe(): Promise<void> {
    const { docker, settings } = this.#options
    await docker.ping()
    await docker.getImage(settings.image).inspect()
  }

  has(name: string): boolean {
    return this.#places?.some(place => place.name === name) ?? false
  }

  /** Tells of deaths from here on. */
  attend(): void {
    this.#following ??= followEvents(this.#options.events, {
      labels: ownLabels(this.#options.settings),
      signal: this.#ended.signal,
      heard: () => this.#outdate(),
      died: (containerId, exitCode) => this.#lives.died(containerId, exitCode)
    })
  }

  /** As now, or as last seen of one that cannot be reached. Null when it never was. */
  async look(): Promise<readonly Place[] | null> {
    await this.#list().catch(() => undefined) // Said by `reach`.
    return this.#places
  }

  /** Makes the place where there is none. Does nothing where a container runs. */
  async start(name: string): Promise<void> {
    this.#starting.add(name)
    try {
      await this.#start(name)
    } finally {
      this.#starting.delete(name)
      this.#outdate()
    }
  }

  async remove(name: string, mayGo: () => Promise<boolean>): Promise<void> {
    if (!(await mayGo())) return
    const found = (await this.#containersOf(name)).map(({ Id }) => this.#container(Id))
    for (const container of found) {
      await unless([404, 409], container.kill({ signal: 'SIGKILL' }))
      await unless([404], container.wait({ condition: 'not-running' }))
    }
    if (!(await mayGo())) return
    // One that was started meanwhile stays, as does a volume that any container uses.
    for (const container of found) await unless([404, 409], container.remove())
    await this.#removeVolume(name)
    this.#outdate()
  }

  /** @returns its pid; null when nothing runs there */
  async kill(name: string): Promise<number | null> {
    const life = await this.#lifeIn(name)
    if (life === undefined) return null
    const killed = await unless([404, 409], life.container.kill({ signal: 'SIGKILL' }))
    return killed ? life.pid : null
  }

  async stop(name: string, graceMs: number): Promise<void> {
    const life = await this.#lifeIn(name)
    if (life === undefined) return
    await unless([304, 404], life.container.stop({ t: Math.ceil(graceMs / 1_000) }))
    this.#outdate()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended.abort()
    await this.#following
  }

  #outdate(): void {
    this.#listedAtMs = Number.NEGATIVE_INFINITY
  }

  #list(): Promise<readonly Place[]> {
    if (!this.reach.due) return Promise.reject(new EngineDownError(`${this.name} is away`))
    const incomplete = this.#places?.some(({ pid, workerId }) => pid !== null && workerId === null)
    const maxMs = incomplete ? INCOMPLETE_MAX_MS : LISTING_MAX_MS
    const fresh = !this.reach.away && performance.now() - this.#listedAtMs < maxMs
    if (this.#places !== null && fresh) return Promise.resolve(this.#places)
    this.#listing ??= this.#readPlaces().finally(() => {
      this.#listing = null
    })
    return this.#listing
  }

  async #readPlaces(): Promise<readonly Place[]> {
    const { docker, settings } = this.#options
    const filters = { label: ownLabels(settings) }
    const askedAtMs = performance.now()
    this.#listedAtMs = askedAtMs // What is heard of from here on is for the next listing.
    try {
      const [containers, { Volumes }] = await Promise.all([
        docker.listContainers({ all: true, filters }),
        docker.listVolumes({ filters })
      ])
      this.#lives.compare(containers, askedAtMs)
      const byPlace = new Map(containers.map(one => [placeOf(one.Labels), one]))
      const names = new Set([...byPlace.keys(), ...Volumes.map(one => placeOf(one.Labels))])
      const found = [...names].flatMap(name => name ?? []).sort()
      this.#places = await Promise.all(found.map(name => this.#place(name, byPlace.get(name))))
      this.reach.reached()
      return this.#places
    } catch (err) {
      this.reach.missed(err)
      throw err
    }
  }

  async #place(name: string, info: ContainerInfo | undefined): Promise<Place> {
    if (info === undefined && this.#starting.has(name)) {
      return { name, workerId: this.#workerIdOf(name), pid: null }
    }
    // Its container was removed by somebody: one that is never started shows what the volume holds.
    const container = info ? this.#container(info.Id) : await this.#make(name, newLife())
    const alive = info !== undefined && isAlive(info)
    const workerId = await this.#readWorkerId(container, alive)
    if (!alive) return { name, workerId, pid: null }
    const begun = { name, container, workerId, pid: null, life: lifeOf(info.Labels) }
    const life = this.#lives.get(info.Id) ?? this.#lives.begin(begun)
    life.workerId = workerId
    if (life.pid === null) await this.#lives.meet(life)
    return { name, workerId, pid: life.pid }
  }

  async #readWorkerId(container: Container, alive: boolean): Promise<string | null> {
    const known = this.#workerIds.get(container.id)
    if (known !== undefined && (known !== null || !alive)) return known
    const identity = await readJson<{ workerId: string }>(container, `${WORKER_DIR}/worker.json`)
    const workerId = identity?.workerId ?? null
    this.#workerIds.set(container.id, workerId)
    return workerId
  }

  async #start(name: string): Promise<void> {
    const { docker, settings } = this.#options
    const before = await this.#containersOf(name)
    if (before.some(isAlive)) return
    // Looked for first: without it, what shows the volume had better stay.
    await docker.getImage(settings.image).inspect()
    for (const { Id } of before) await unless([404], this.#container(Id).remove())
    const life = newLife()
    const container = await this.#make(name, life)
    const workerId = this.#workerIdOf(name)
    const begun = this.#lives.begin({ name, container, life, workerId, pid: null })
    try {
      await unless([304], container.start())
      this.#log.info({ name, container: container.id }, 'worker container started')
      await this.#lives.meet(begun)
    } catch (err) {
      this.#lives.forget(begun)
      throw err
    }
  }

  #make(place: string, life: string): Promise<Container> {
    const { docker, settings, address } = this.#options
    return docker.createContainer(containerOptions(settings, { place, life, address }))
  }

  async #removeVolume(name: string): Promise<void> {
    const volume = this.#options.docker.getVolume(nameOf(this.#options.settings, name))
    const untilMs = performance.now() + REMOVED_WITHIN_MS
    const isGone = () =>
      volume.inspect().then(
        () => false,
        err => isStatus(err, 404)
      )
    // 409: a container that is being removed still uses it, or a new one does.
    while (!(await unless([404, 409], volume.remove())) && !(await isGone())) {
      if (performance.now() > untilMs)
        return this.#log.warn({ name }, 'volume is in use, and stays')
      await sleep(POLL_MS)
    }
    this.#log.info({ name }, 'worker volume removed')
  }

  #workerIdOf(name: string): string | null {
    return this.#places?.find(place => place.name === name)?.workerId ?? null
  }

  async #lifeIn(name: string): Promise<Life | undefined> {
    this.#outdate()
    await this.#list()
    return this.#lives.in(name)
  }

  #containersOf(name: string): Promise<ContainerInfo[]> {
    const label = placeLabels(this.#options.settings, name)
    return this.#options.docker.listContainers({ all: true, filters: { label } })
  }

  #container(id: string): Container {
    return this.#options.docker.getContainer(id)
  }
}
