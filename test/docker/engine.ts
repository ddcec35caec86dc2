/**
 * A Docker engine of a test's own: its data, sockets and networks are its own, and it
 * leaves the machine's firewall alone. Nothing of it is left when it is disposed.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Docker from 'dockerode'
import { endProcessesOf } from '../left-behind.ts'
import { until } from '../system/wait.ts'

const READY_MS = 30_000
const STOPPED_MS = 30_000

export interface TestEngine extends AsyncDisposable {
  /** As for CONVOY_DOCKER_HOSTS. */
  readonly host: string
  readonly docker: Docker
  /** The machine's name for the folder that its volumes are in. */
  readonly volumesDir: string
  /** In order: the containers are stopped with it. */
  stop(): Promise<void>
  /** As an accident would: containers run on, until it is started again. */
  kill(): Promise<void>
  /** As the loss of its machine would: it and all that runs on it end at once. */
  crash(): Promise<void>
  /** Again, on the same data. */
  start(): Promise<void>
  /** What it said, for a failing test. */
  log(): string
}

/** @throws Error with what it said when it does not start */
export async function startEngine(): Promise<TestEngine> {
  const dir = mkdtempSync(join(tmpdir(), 'engine-'))
  const socketPath = join(dir, 'docker.sock')
  const docker = new Docker({ socketPath, timeout: 60_000 })
  const log = () => readFileSync(join(dir, 'log'), 'utf8').split('\n').slice(-20).join('\n')
  let daemon: ChildProcess | null = null
  const end = async (signal: NodeJS.Signals) => {
    const ending = daemon
    daemon = null
    if (ending === null || ending.exitCode !== null || ending.signalCode !== null) return
    const exited = once(ending, 'exit')
    ending.kill(signal)
    const late = setTimeout(() => ending.kill('SIGKILL'), STOPPED_MS)
    await exited
    clearTimeout(late)
  }
  const engine: TestEngine = {
    host: `unix://${socketPath}`,
    docker,
    volumesDir: join(dir, 'data', 'volumes'),
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
    async crash() {
      const pids = await runningPids(docker)
      const ended = end('SIGKILL')
      for (const pid of pids) endPid(pid)
      await ended
    },
    async start() {
      daemon = launch(dir, socketPath)
      await until(
        'the engine',
        { withinMs: READY_MS },
        async () => (await docker.ping()) && true
      ).catch(cause => {
        throw new Error(`the engine did not start: ${log()}`, { cause })
      })
    },
    log,
    async [Symbol.asyncDispose]() {
      try {
        // One that was killed has left containers, which it alone can end.
        if (daemon === null) await engine.start()
        await removeContainers(docker)
      } finally {
        await end('SIGTERM')
        await endProcessesOf(dir)
        unmountIn(dir)
        rmSync(dir, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 })
      }
    }
  }
  await using opened = new AsyncDisposableStack()
  opened.use(engine)
  await engine.start()
  opened.move()
  return engine
}

function launch(dir: string, socketPath: string): ChildProcess {
  mkdirSync(join(dir, 'exec'), { recursive: true })
  // Of one that died with a killed engine: until somebody reaps it, it would pass for alive.
  rmSync(join(dir, 'exec', 'containerd', 'containerd.pid'), { force: true })
  const output = openSync(join(dir, 'log'), 'a')
  const places = ['--data-root', join(dir, 'data'), '--exec-root', join(dir, 'exec')]
  const own = ['--host', `unix://${socketPath}`, '--pidfile', join(dir, 'pid')]
  // Networks are made as they are asked for; none of them reaches beyond this machine.
  const apart = ['--bridge', 'none', '--iptables=false', '--ip6tables=false', '--ip-masq=false']
  return spawn('dockerd', [...places, ...own, ...apart], {
    stdio: ['ignore', output, output],
    detached: true // A Ctrl-C at the terminal is for the test, which stops it in order.
  })
}

async function runningPids(docker: Docker): Promise<number[]> {
  const running = await docker.listContainers()
  const states = await Promise.all(running.map(({ Id }) => docker.getContainer(Id).inspect()))
  return states.map(({ State }) => State.Pid)
}

function endPid(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It ended by itself.
  }
}

async function removeContainers(docker: Docker): Promise<void> {
  const containers = await docker.listContainers({ all: true })
  await Promise.all(
    containers.map(({ Id }) => docker.getContainer(Id).remove({ force: true, v: true }))
  )
}

function unmountIn(dir: string): void {
  const mounts = readFileSync('/proc/self/mounts', 'utf8').split('\n')
  const points = mounts.map(line => line.split(' ')[1] ?? '').filter(point => point.startsWith(dir))
  for (const point of points.reverse()) spawnSync('umount', ['--lazy', point])
}
