/**
 * A Docker engine of a test's own, known by its folder: its data, sockets and networks
 * are its own, and it leaves the machine's firewall alone. Whoever opens the folder can
 * stop and start it. Nothing of it is left when it is removed.
 */
import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Docker from 'dockerode'
import { startTimeOf } from '../../platform/process-identity.ts'
import { until } from '../../testing/wait.ts'
import { endProcessesOf } from '../left-behind.ts'

const READY_MS = 60_000
const STOPPED_MS = 60_000
const CALL_MS = 60_000

export class TestEngine {
  readonly dir: string
  readonly docker: Docker

  readonly #args: readonly string[]

  /** @param args of dockerd, beside those that keep it apart */
  constructor(dir: string, args: readonly string[] = []) {
    this.dir = dir
    this.#args = args
    this.docker = new Docker({ socketPath: join(dir, 'docker.sock'), timeout: CALL_MS })
  }

  get socket(): string {
    return join(this.dir, 'docker.sock')
  }

  /** As for DOCKER_HOST and CONVOY_DOCKER_HOSTS. */
  get host(): string {
    return `unix://${this.socket}`
  }

  /** The machine's name for the folder that its volumes are in. */
  get volumesDir(): string {
    return join(this.dir, 'data', 'volumes')
  }

  /** On the data that is there. @throws Error with what it said when it does not start */
  async start(): Promise<void> {
    launch(this.dir, this.#args)
    try {
      await until(
        'the engine',
        { withinMs: READY_MS },
        async () => (await this.docker.ping()) && true
      )
    } catch (cause) {
      throw new Error(`the engine did not start: ${lastLines(join(this.dir, 'log'))}`, { cause })
    }
  }

  /** In order: containers are stopped with it. */
  stop(): Promise<void> {
    return this.#end('SIGTERM')
  }

  /** As an accident would: containers run on, until it is started again. */
  kill(): Promise<void> {
    return this.#end('SIGKILL')
  }

  /** As the loss of its machine would: it and all that runs on it end at once. */
  async crash(): Promise<void> {
    const running = await this.docker.listContainers()
    const states = running.map(({ Id }) => this.docker.getContainer(Id).inspect())
    const pids = (await Promise.all(states)).map(({ State }) => State.Pid)
    const ended = this.kill()
    for (const pid of pids) signal(pid, 'SIGKILL')
    await ended
  }

  /** With all that is on it. */
  async remove(): Promise<void> {
    try {
      // One that was killed has left containers, which it alone can end.
      if (this.#pid === null) await this.start()
      const containers = await this.docker.listContainers({ all: true })
      const removed = containers.map(({ Id }) =>
        this.docker.getContainer(Id).remove({ force: true, v: true })
      )
      await Promise.all(removed)
    } finally {
      await this.stop()
      await endProcessesOf(this.dir)
      unmountIn(this.dir)
      rmSync(this.dir, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 })
    }
  }

  get #pid(): number | null {
    try {
      const pid = Number(readFileSync(join(this.dir, 'pid'), 'utf8'))
      return startTimeOf(pid) === undefined ? null : pid
    } catch {
      return null
    }
  }

  async #end(name: NodeJS.Signals): Promise<void> {
    const pid = this.#pid
    if (pid === null) return
    signal(pid, name)
    const gone = () => (startTimeOf(pid) === undefined ? true : undefined)
    await until('the end of the engine', { withinMs: STOPPED_MS }, gone)
    rmSync(join(this.dir, 'pid'), { force: true })
  }
}

/** A new one, started. Remove it. */
export async function startEngine(...args: string[]): Promise<TestEngine> {
  const engine = new TestEngine(mkdtempSync(join(tmpdir(), 'engine-')), args)
  try {
    await engine.start()
    return engine
  } catch (err) {
    await engine.remove().catch(() => undefined)
    throw err
  }
}

function launch(dir: string, args: readonly string[]): void {
  mkdirSync(join(dir, 'exec'), { recursive: true })
  // Of one that died with a killed engine: until somebody reaps it, it would pass for alive.
  rmSync(join(dir, 'exec', 'containerd', 'containerd.pid'), { force: true })
  const output = openSync(join(dir, 'log'), 'a')
  const places = ['--data-root', join(dir, 'data'), '--exec-root', join(dir, 'exec')]
  const own = ['--host', `unix://${join(dir, 'docker.sock')}`, '--pidfile', join(dir, 'pid')]
  // Networks are made as they are asked for; none of them reaches beyond this machine.
  const apart = ['--bridge', 'none', '--iptables=false', '--ip6tables=false', '--ip-masq=false']
  const daemon = spawn('dockerd', [...places, ...own, ...apart, ...args], {
    stdio: ['ignore', output, output],
    detached: true // It outlives the test that started it again.
  })
  daemon.unref()
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch {
    // It ended by itself.
  }
}

function unmountIn(dir: string): void {
  const mounts = readFileSync('/proc/self/mounts', 'utf8').split('\n')
  const points = mounts.map(line => line.split(' ')[1] ?? '').filter(point => point.startsWith(dir))
  for (const point of points.reverse()) spawnSync('umount', ['--lazy', point])
}

const lastLines = (file: string): string =>
  readFileSync(file, 'utf8').split('\n').slice(-20).join('\n')
