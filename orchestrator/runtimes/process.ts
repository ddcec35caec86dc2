/**
 * Workers as processes on this machine, each in a folder of its own. They are
 * detached: they outlive an orchestrator that is killed, and the next one adopts them
 * by connecting to the socket that each holds open.
 * Invariants:
 * - A process is known by pid and start time, never by its pid alone.
 * - A death is told once: when a child exits, or an adopted worker's socket ends.
 * - A folder is removed under the claim that a worker holds while it works there.
 * - A spare (workers/spare.ts) is nobody's worker until it gets a folder.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir, open, readdir, readFile, rm } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { claimWithin } from '../../platform/claim.ts'
import type { Logger } from '../../platform/log.ts'
import { NODE_ARGS, NODE_OPTIONS } from '../../platform/node-options.ts'
import { isAlive, type ProcessIdentity, startTimeOf } from '../../platform/process-identity.ts'
import { parseNode } from '../../wire/znodes.ts'
import { homeClaim } from '../../workers/home.ts'
import { endProgramsIn } from '../../workers/postgres/processes.ts'
import type { Death, Place, Runtime } from './runtime.ts'
import { Spare } from './spare.ts'

const MAIN = fileURLToPath(new URL('../../workers/main.ts', import.meta.url))
const NAME = /^[0-9a-f]{8}$/
const POLL_MS = 25
const KILLED_WITHIN_MS = 5_000
const ADOPT_TIMEOUT_MS = 1_000

export interface ProcessRuntimeOptions {
  /** Has a folder for each worker. */
  readonly dir: string
  readonly environment: Readonly<Record<string, string>>
  readonly log: Logger
  /** Another program, in tests. */
  readonly main?: string
}

interface Attended extends ProcessIdentity {
  readonly child: ChildProcess | null
  readonly socket: Socket | null
}

export class ProcessRuntime implements Runtime {
  readonly #options: ProcessRuntimeOptions
  readonly #attended = new Map<string, Attended>()
  /** Who was seen where: a folder may be lost together with its worker. */
  readonly #lastIds = new Map<string, string>()
  readonly #listeners = new Set<(death: Death) => void>()
  #spare: Spare | null = null
  #disposed = false

  constructor(options: ProcessRuntimeOptions) {
    this.#options = options
  }

  async list(): Promise<readonly Place[]> {
    await mkdir(this.#options.dir, { recursive: true })
    const names = (await readdir(this.#options.dir)).filter(name => NAME.test(name)).sort()
    return Promise.all(names.map(name => this.#place(name)))
  }

  async attend(): Promise<readonly Place[]> {
    const places = await this.list()
    for (const { name, pid } of places) {
      const attended = this.#attended.get(name)
      // Seen before its exit was heard: told now, for whoever asks may start another there.
      if (pid === null && attended !== undefined) await this.#buried(name, attended)
      if (pid !== null && attended === undefined) await this.#adopt(name)
    }
    return places
  }

  onDeath(listener: (death: Death) => void): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) }
  }

  async create(): Promise<string> {
    const name = randomBytes(4).toString('hex')
    await mkdir(join(this.#options.dir, name), { recursive: true })
    await this.start(name)
    return name
  }

  async start(name: string): Promise<void> {
    if ((await this.#running(name)) !== null || this.#disposed) return
    const folder = join(this.#options.dir, name)
    const spare = this.#spare?.take(folder)
    this.#spare = null
    if (spare !== undefined) return this.#attendChild(name, spare)
    const output = await open(join(folder, 'worker.log'), 'a', 0o600)
    try {
      const child = spawn(process.execPath, [...NODE_ARGS, this.#options.main ?? MAIN], {
        detached: true,
        env: { ...this.#environment(), CONVOY_WORKER_DIR: folder },
        stdio: ['ignore', output.fd, output.fd]
      })
      this.#attendChild(name, child)
    } finally {
      await output.close()
    }
  }

  keepSpare(wanted: boolean): void {
    const keeps = wanted && !this.#disposed
    if (keeps && this.#spare?.isThere) return
    this.#endSpare()
    if (!keeps) return
    const { main = MAIN, log } = this.#options
    this.#spare = new Spare({ args: [...NODE_ARGS, main], env: this.#environment(), log })
  }

  #endSpare(): void {
    this.#spare?.[Symbol.dispose]()
    this.#spare = null
  }

  #environment(): NodeJS.ProcessEnv {
    return {
      ...this.#options.environment,
      NODE_OPTIONS,
      // What one worker has compiled, the next need not: half the time that a start takes.
      NODE_COMPILE_CACHE: join(this.#options.dir, '.compiled')
    }
  }

  async discard(name: string, mayGo: () => Promise<boolean>): Promise<void> {
    if (!(await mayGo())) return
    const running = await this.#running(name)
    if (running !== null) {
      end(running, 'SIGKILL')
      await untilDead(running, KILLED_WITHIN_MS)
    }
    const folder = join(this.#options.dir, name)
    await using held = await claimWithin(running === null ? 0 : KILLED_WITHIN_MS, homeClaim(folder))
    if (held === undefined || !(await mayGo())) return
    // What a worker that was killed left behind may still write there.
    await endProgramsIn(folder, KILLED_WITHIN_MS)
    await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 })
    this.#lastIds.delete(name)
    this.#options.log.info({ name }, 'worker folder removed')
  }

  async kill(workerId: string): Promise<number | null> {
    const place = (await this.list()).find(one => one.workerId === workerId)
    const running = place === undefined ? null : await this.#running(place.name)
    if (running === null) return null
    end(running, 'SIGKILL')
    return running.pid
  }

  async stop({ last, graceMs }: { last: string | null; graceMs: number }): Promise<void> {
    const untilMs = performance.now() + graceMs
    const places = (await this.list()).filter(({ name }) => this.#attended.has(name))
    const stopAll = async (chosen: readonly Place[], withinMs: number) => {
      const processes = chosen.flatMap(({ name }) => this.#attended.get(name) ?? [])
      for (const one of processes) end(one, 'SIGTERM')
      await Promise.all(processes.map(one => untilDead(one, withinMs)))
    }
    await stopAll(
      places.filter(({ workerId }) => workerId !== last || last === null),
      graceMs / 2
    )
    await stopAll(places, Math.max(POLL_MS, untilMs - performance.now()))
    for (const one of this.#attended.values()) end(one, 'SIGKILL')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true
    this.#endSpare()
    this.#listeners.clear()
    for (const { socket } of this.#attended.values()) socket?.destroy()
  }

  async #place(name: string): Promise<Place> {
    const running = await this.#running(name)
    return { name, workerId: await this.#workerIdIn(name), pid: running?.pid ?? null }
  }

  /** What runs there, by the memory of this process or by the worker's pid file. */
  async #running(name: string): Promise<ProcessIdentity | null> {
    const attended = this.#attended.get(name)
    if (attended !== undefined && isAlive(attended)) return attended
    const noted = await this.#readJson<ProcessIdentity>(name, 'worker.pid')
    return noted !== null && isAlive(noted) ? noted : null
  }

  #attendChild(name: string, child: ChildProcess): void {
    const { log } = this.#options
    child.on('error', err => log.error({ err, name }, 'worker not started'))
    if (child.pid === undefined) return
    child.unref()
    const attended = {
      pid: child.pid,
      startTime: startTimeOf(child.pid) ?? '',
      child,
      socket: null
    }
    this.#attended.set(name, attended)
    log.info({ name, worker: child.pid }, 'worker process started')
    child.on('exit', (code, signal) => {
      log.warn({ name, worker: attended.pid, code, signal }, 'worker process ended')
      void this.#buried(name, attended)
    })
  }

  /** One that does not listen yet is tried again at the next call of `attend`. */
  #adopt(name: string): Promise<void> {
    const socket = connect(join(this.#options.dir, name, 'alive.sock'))
    return new Promise(resolve => {
      socket.on('error', () => socket.destroy())
      socket.on('close', resolve)
      // A frozen worker's connections are taken by the kernel, and nobody says anything.
      socket.setTimeout(ADOPT_TIMEOUT_MS, () => socket.destroy())
      socket.once('data', line => {
        socket.setTimeout(0)
        const live = parseNode<ProcessIdentity>(String(line))
        if (live === null) return socket.destroy()
        const attended = { ...live, child: null, socket }
        this.#attended.set(name, attended)
        this.#options.log.info({ name, worker: live.pid }, 'worker process adopted')
        socket.on('close', () => void this.#buried(name, attended))
        resolve()
      })
    })
  }

  /** A socket can end a moment before its process does. */
  async #buried(name: string, attended: Attended): Promise<void> {
    while (!this.#disposed && attended.child === null && isAlive(attended)) await sleep(POLL_MS)
    const workerId = (await this.#workerIdIn(name)) ?? this.#lastIds.get(name) ?? null
    if (this.#disposed || this.#attended.get(name) !== attended) return
    this.#attended.delete(name)
    const death = { name, workerId, pid: attended.pid }
    for (const listener of [...this.#listeners]) listener(death)
  }

  async #workerIdIn(name: string): Promise<string | null> {
    const identity = await this.#readJson<{ workerId: string }>(name, 'worker.json')
    if (identity !== null) this.#lastIds.set(name, identity.workerId)
    return identity?.workerId ?? null
  }

  async #readJson<T>(name: string, file: string): Promise<T | null> {
    try {
      return parseNode<T>(await readFile(join(this.#options.dir, name, file), 'utf8'))
    } catch (error) {
      if (isMissing(error)) return null // not written yet
      throw error // a folder that cannot be read just now is no empty one
    }
  }
}

function end(running: ProcessIdentity, signal: NodeJS.Signals): void {
  if (!isAlive(running)) return
  try {
    process.kill(running.pid, signal)
  } catch {
    // It ended between the look and the signal.
  }
}

async function untilDead(running: ProcessIdentity, withinMs: number): Promise<void> {
  const untilMs = performance.now() + withinMs
  while (isAlive(running) && performance.now() < untilMs) await sleep(POLL_MS)
}

const isMissing = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'ENOENT'
