import { once } from 'node:events'
import net from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { startServices } from '../testing/environment.ts'
import { openLog } from './log.ts'
import {
  type ConnectionEvent,
  type Node,
  openZooKeeper,
  type ZooKeeper,
  ZooKeeperUnavailableError
} from './zookeeper.ts'

const SESSION_MS = 1_200
const services = await startServices()
t.teardown(() => services[Symbol.asyncDispose]())
const log = openLog({ service: 'test', level: 'silent' })

async function open(t: Test, hosts = services.CONVOY_ZOOKEEPER): Promise<ZooKeeper> {
  const zk = await openZooKeeper({
    hosts,
    auth: services.CONVOY_ZOOKEEPER_AUTH,
    cluster: services.CONVOY_CLUSTER,
    sessionTimeoutMs: SESSION_MS,
    log
  })
  t.teardown(() => zk[Symbol.asyncDispose]())
  return zk
}

async function until(what: string, condition: () => boolean | Promise<boolean>) {
  const deadline = performance.now() + 15_000
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`waited in vain until ${what}`)
    await sleep(10)
  }
}

/** A way to the server that can be cut. */
async function cable(t: Test) {
  const sockets = new Set<net.Socket>()
  let cut = false
  let muted = false
  const server = net.createServer(socket => {
    if (cut) return socket.destroy()
    const [host, port] = services.CONVOY_ZOOKEEPER.split(':')
    const far = net.connect({ host, port: Number(port) })
    for (const end of [socket, far]) {
      sockets.add(end)
      end.on('error', () => {}).on('close', () => [socket, far].map(other => other.destroy()))
    }
    socket.pipe(far).on('data', chunk => muted || socket.write(chunk))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  return {
    hosts: `127.0.0.1:${(server.address() as net.AddressInfo).port}`,
    cut() {
      cut = true
      for (const socket of sockets) socket.destroy()
    },
    /** What is sent arrives, what is answered does not. */
    mute() {
      muted = true
    },
    mend() {
      cut = false
      muted = false
    }
  }
}

let paths = 0
const newPath = () => `/workers/w${++paths}`

t.test('of two writers that saw the same version, exactly one wins', async t => {
  const [a, b] = [await open(t), await open(t)]
  const path = newPath()
  t.equal(await a.create(path, 'first'), true)
  t.equal(await b.create(path, 'other'), false)
  const versions = await Promise.all([a.write(path, 'a', 0), b.write(path, 'b', 0)])
  t.strictSame(versions.toSorted(), [1, undefined])
  t.equal(await a.write(`${path}-nowhere`, '', 0), undefined)
  t.equal(await a.remove(path, 0), false)
  t.equal(await a.remove(path, 1), true)
  t.equal(await a.read(path), undefined)
  t.strictSame(await a.children('/nowhere'), [])
})

t.test('a watch tells the present value, changes, the end and the return of a node', async t => {
  const [a, b] = [await open(t), await open(t)]
  const path = newPath()
  const seen: (string | undefined)[] = []
  const watching = a.watch(path, node => seen.push(node?.data))
  await until('the absence is told', () => seen.length === 1)
  await b.create(path, 'one')
  await until('the node is told', () => seen.length === 2)
  await b.write(path, 'two', 0)
  await until('the change is told', () => seen.length === 3)
  await b.remove(path)
  await until('the end is told', () => seen.length === 4)
  t.strictSame(seen, [undefined, 'one', 'two', undefined])
  watching[Symbol.dispose]()
  await b.create(path, 'three')
  await b.read(path)
  t.equal(seen.length, 4)
})

t.test('children are told with their data, and each change of it', async t => {
  const [a, b] = [await open(t), await open(t)]
  const path = newPath()
  let seen: Record<string, string> | undefined
  a.watchChildren(path, nodes => {
    seen = Object.fromEntries([...nodes].map(([name, node]: [string, Node]) => [name, node.data]))
  })
  const same = (expected: Record<string, string>) =>
    until(`children are ${JSON.stringify(expected)}`, () => {
      return JSON.stringify(seen) === JSON.stringify(expected)
    })
  await same({})
  await b.create(path, '')
  await b.create(`${path}/x`, '1')
  await same({ x: '1' })
  await b.create(`${path}/y`, '2')
  await b.write(`${path}/x`, '3', 0)
  await same({ x: '3', y: '2' })
  await b.remove(`${path}/x`)
  await same({ y: '2' })
})

t.test('a kept node comes back when it is removed, with the latest data', async t => {
  const [a, b] = [await open(t), await open(t)]
  const path = `${newPath()}/below/that/is/made`
  const kept = a.keep(path, 'one')
  await Promise.all(['two', 'three', 'four'].map(data => kept.update(data)))
  t.equal((await b.read(path))?.data, 'four')
  await b.remove(path)
  await until('it is back', async () => (await b.read(path))?.data === 'four')
  await kept.update('five')
  t.equal((await b.read(path))?.data, 'five')
  await kept[Symbol.asyncDispose]()
  t.equal(await b.read(path), undefined)
  await t.rejects(kept.update('six'), ZooKeeperUnavailableError)
})

t.test('what the process before it left is replaced without a gap', async t => {
  const way = await cable(t)
  const [before, after, watcher] = [await open(t, way.hosts), await open(t), await open(t)]
  const path = newPath()
  const seen: (string | undefined)[] = []
  await before.keep(path, 'before').update('before')
  watcher.watch(path, node => seen.push(node?.data))
  await until('the first is seen', () => seen.length === 1)
  way.cut()
  await after.keep(path, 'after').update('after')
  await until('the second is seen', () => seen.includes('after'))
  t.notOk(seen.includes(undefined), 'nobody saw it gone')
  way.mend()
  await until('the first is connected again', () => before.connected)
  await sleep(300)
  t.equal((await watcher.read(path))?.data, 'after', 'the newest registration stays')
})

t.test('a short cut costs nothing but time: same session, same node', async t => {
  const way = await cable(t)
  const [a, b] = [await open(t, way.hosts), await open(t)]
  const path = newPath()
  const events: ConnectionEvent[] = []
  a.on(event => events.push(event))
  await a.keep(path, 'kept').update('kept')
  let seen: string | undefined
  a.watch(`${path}-other`, node => {
    seen = node?.data
  })
  way.cut()
  await until('it is noticed', () => !a.connected)
  await t.rejects(a.read(path), ZooKeeperUnavailableError)
  await b.create(`${path}-other`, 'made meanwhile')
  way.mend()
  await until('the watch is read again', () => seen === 'made meanwhile')
  t.strictSame(events, ['down', 'up'])
  t.equal(a.session, 1)
  t.equal((await b.read(path))?.version, 0, 'the node was neither made anew nor written')
})

t.test('after a cut longer than the session it says so first, and registers again', async t => {
  const way = await cable(t)
  const [a, b] = [await open(t, way.hosts), await open(t)]
  const path = newPath()
  const told: string[] = []
  a.on(event => told.push(`${event} in ${a.session}`))
  await a.keep(path, 'kept').update('kept')
  way.cut()
  await until('the node is gone', async () => (await b.read(path)) === undefined)
  way.mend()
  await until('it is back', async () => (await b.read(path))?.data === 'kept')
  t.strictSame(told, ['down in 1', 'expired in 1', 'up in 2'])
})

t.test(
  'who cannot hear the server any more loses the session, though the server hears it',
  async t => {
    const way = await cable(t)
    const a = await open(t, way.hosts)
    const b = await open(t)
    const path = newPath()
    await a.keep(path, 'kept').update('kept')
    const told: ConnectionEvent[] = []
    a.on(event => told.push(event))
    way.mute()
    const mutedAt = performance.now()
    await until('the node is gone', async () => (await b.read(path)) === undefined)
    t.ok(performance.now() - mutedAt < 3 * SESSION_MS, 'no dial has kept it')
    t.strictSame(told, ['down'], 'nobody has told it yet')
    way.mend()
    await until('the node is there', async () => (await b.read(path)) !== undefined)
    t.strictSame(told, ['down', 'expired', 'up'])
  }
)

t.test('a server that dies and comes back with its data keeps the session', async t => {
  const a = await open(t)
  const path = newPath()
  await a.keep(path, 'kept').update('kept')
  services.kill('zookeeper')
  await until('it is noticed', () => !a.connected)
  await services.ready()
  await until('it is connected', () => a.connected)
  await until('the node is there', async () => (await a.read(path))?.data === 'kept')
  t.equal(a.session, 1)
})

t.test('a server that falls silent is noticed, and survived', async t => {
  const a = await open(t)
  const path = newPath()
  await a.keep(path, 'kept').update('kept')
  services.kill('zookeeper', 'SIGSTOP')
  const stoppedAt = performance.now()
  await t.rejects(a.read(path), ZooKeeperUnavailableError)
  const tookMs = performance.now() - stoppedAt
  t.ok(tookMs < SESSION_MS, `an operation ended after ${Math.round(tookMs)} ms`)
  t.equal(a.connected, false)
  await sleep(2 * SESSION_MS)
  services.kill('zookeeper', 'SIGCONT')
  await until('it is connected', () => a.connected)
  await until('the node is there', async () => {
    const node = await a.read(path).catch(() => undefined)
    return node?.data === 'kept'
  })
})

t.test('opening waits for a server, and closing ends the session at once', async t => {
  const way = await cable(t)
  const b = await open(t)
  way.cut()
  const opening = open(t, way.hosts)
  await sleep(200)
  way.mend()
  const a = await opening
  const path = newPath()
  t.equal(await a.create(path, 'mine', { ephemeral: true }), true)
  await a[Symbol.asyncDispose]()
  t.equal(await b.read(path), undefined)
  await t.rejects(a.read(path), ZooKeeperUnavailableError)
})
