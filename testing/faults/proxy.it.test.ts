/**
 * The proxy with real sockets: what a cut holds back arrives later and in order, and a
 * connection is known by the process that holds it.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { createInterface, type Interface } from 'node:readline'
import t, { type Test } from 'tap'
import type { Way } from './pipe.ts'
import { type Direction, TcpProxy } from './proxy.ts'

const CUT: Way = { cut: true, delayMs: 0 }
const WHOLE: Way = { cut: false, delayMs: 0 }
const HEARD_MS = 5_000
/** So long nothing came: it is held back. */
const SILENT_MS = 150

/** Sends the lines it is given to a port, and prints what comes back. */
const CLIENT = `
  const socket = require('node:net').connect(Number(process.argv[1]), '127.0.0.1')
  process.stdin.pipe(socket)
  socket.pipe(process.stdout)
  socket.on('error', err => process.stdout.write(err.code + '\\n'))
`

interface Client {
  readonly process: ChildProcess
  say(line: string): void
  /** The next line that comes back; null when none does in time. */
  hear(withinMs?: number): Promise<string | null>
}

/** A proxy in front of an echo, with ways that a test sets for the party `worker`. */
async function open(t: Test) {
  const echo = createServer({ allowHalfOpen: true }, socket => {
    socket.on('error', () => {}).pipe(socket)
  })
  echo.listen(0, '127.0.0.1')
  await once(echo, 'listening')
  const { port } = echo.address() as { port: number }
  const proxy = new TcpProxy(port)
  const proxyPort = await proxy.listen()
  t.teardown(() => {
    echo.close()
    proxy[Symbol.dispose]()
  })
  const set = (of: (direction: Direction) => Way) =>
    proxy.setWays((party, direction) => (party === 'worker' ? of(direction) : WHOLE))
  return { proxy, set, dial: (env: Record<string, string>) => dial(t, proxyPort, env) }
}

async function dial(t: Test, port: number, env: Record<string, string>): Promise<Client> {
  const client = spawn(process.execPath, ['-e', CLIENT, String(port)], {
    env,
    stdio: ['pipe', 'pipe', 'inherit']
  })
  t.teardown(() => client.kill('SIGKILL'))
  const lines = createInterface({ input: client.stdout })
  const heard: string[] = []
  lines.on('line', line => heard.push(line))
  return {
    process: client,
    say: line => void client.stdin.write(`${line}\n`),
    hear: (withinMs = HEARD_MS) => nextOf(heard, lines, withinMs)
  }
}

async function nextOf(heard: string[], lines: Interface, withinMs: number): Promise<string | null> {
  const late = AbortSignal.timeout(withinMs)
  while (heard.length === 0) {
    const gone = await once(lines, 'line', { signal: late }).catch(() => null)
    if (gone === null) return null
  }
  return heard.shift() ?? null
}

const WORKER = { CONVOY_WORKER_DIR: '/somewhere/worker' }

/** Its process takes a moment to start. */
async function greeted(client: Client): Promise<void> {
  client.say('hello')
  await client.hear()
}

t.test('a cut holds back what is sent, of one party alone, and loses nothing', async t => {
  const { set, dial } = await open(t)
  const [worker, other] = await Promise.all([dial(WORKER), dial({})])
  await Promise.all([greeted(worker), greeted(other)])
  set(() => CUT)
  worker.say('one')
  worker.say('two')
  other.say('as ever')
  t.strictSame([await worker.hear(SILENT_MS), await other.hear()], [null, 'as ever'])
  set(() => WHOLE)
  t.strictSame([await worker.hear(), await worker.hear()], ['one', 'two'])
})

t.test('one way only: what is answered is held back', async t => {
  const { set, dial } = await open(t)
  const worker = await dial(WORKER)
  await greeted(worker)
  for (const cut of ['from', 'to'] as const) {
    set(direction => (direction === cut ? CUT : WHOLE))
    worker.say(cut)
    t.equal(await worker.hear(SILENT_MS), null)
    set(() => WHOLE)
    t.equal(await worker.hear(), cut)
  }
})

t.test('a connection that is made during a cut is silent until it is healed', async t => {
  const { set, dial } = await open(t)
  set(() => CUT)
  const worker = await dial(WORKER)
  worker.say('hello')
  t.equal(await worker.hear(2 * SILENT_MS), null)
  set(() => WHOLE)
  t.equal(await worker.hear(), 'hello')
})

t.test('a slow network delays, and keeps the order', async t => {
  const { set, dial } = await open(t)
  const worker = await dial(WORKER)
  await greeted(worker)
  set(() => ({ cut: false, delayMs: 30 }))
  const startedMs = performance.now()
  worker.say('one')
  worker.say('two')
  t.strictSame([await worker.hear(), await worker.hear()], ['one', 'two'])
  t.ok(performance.now() - startedMs >= 60)
})

t.test('a broken connection is told to both ends', async t => {
  const { proxy, dial } = await open(t)
  const worker = await dial(WORKER)
  await greeted(worker)
  proxy.reset('worker')
  t.equal(await worker.hear(), 'ECONNRESET')
})
