/**
 * What another user of the machine can do to the private ZooKeeper: nothing that lasts.
 */

import { once } from 'node:events'
import { connect } from 'node:net'
import zookeeper, { type Client } from 'node-zookeeper-client'
import { pino } from 'pino'
import t from 'tap'
import { openZooKeeper } from '../../platform/zookeeper.ts'
import { startServices } from '../../testing/environment.ts'

const services = await startServices()
t.teardown(() => services[Symbol.asyncDispose]())
const owner = await openZooKeeper({
  hosts: services.CONVOY_ZOOKEEPER,
  auth: services.CONVOY_ZOOKEEPER_AUTH,
  cluster: services.CONVOY_CLUSTER,
  sessionTimeoutMs: 4_000,
  ownsRoot: true,
  log: pino({ level: 'silent' })
})
t.teardown(() => owner[Symbol.asyncDispose]())

async function stranger(credentials?: string): Promise<Client> {
  const client = zookeeper.createClient(services.CONVOY_ZOOKEEPER, { retries: 0 })
  if (credentials !== undefined) client.addAuthInfo('digest', Buffer.from(credentials))
  const connected = new Promise<void>(resolve => client.once('connected', () => resolve()))
  client.connect()
  await connected
  t.teardown(() => client.close())
  return client
}

const codeOf = (start: (done: (error: Error | { code: number } | null) => void) => void) =>
  new Promise<number | string>(resolve =>
    start(error => resolve(error === null ? 'done' : 'code' in error ? error.code : String(error)))
  )
const { NO_AUTH } = zookeeper.Exception
const ANYONE = [new zookeeper.ACL(zookeeper.Permission.ALL, new zookeeper.Id('world', 'anyone'))]

await t.test('one with credentials of his own can make, list and change nothing', async t => {
  const client = await stranger('nobody:guess')
  const { PERSISTENT } = zookeeper.CreateMode
  for (const path of ['/mine', '/zookeeper/mine', '/zookeeper/quota/mine', '/convoy/mine']) {
    const made = await codeOf(done =>
      client.create(path, Buffer.alloc(10), ANYONE, PERSISTENT, done)
    )
    t.equal(made, NO_AUTH, path)
  }
  for (const path of ['/', '/zookeeper', '/convoy']) {
    t.equal(await codeOf(done => client.getChildren(path, done)), NO_AUTH, path)
    t.equal(await codeOf(done => client.setData(path, Buffer.alloc(1), done)), NO_AUTH, path)
    t.equal(await codeOf(done => client.setACL(path, ANYONE, done)), NO_AUTH, path)
  }
})

await t.test('one without credentials is disconnected at his first request', async t => {
  const [host = '', port] = services.CONVOY_ZOOKEEPER.split(':')
  const socket = connect({ host, port: Number(port) })
  t.teardown(() => socket.destroy())
  // A new session of 4 s, then `exists /`.
  const session = Buffer.alloc(44)
  session.writeInt32BE(4_000, 12)
  session.writeInt32BE(16, 24)
  const exists = Buffer.alloc(14)
  for (const [i, value] of [1, 3, 1].entries()) exists.writeInt32BE(value, 4 * i)
  exists.write('/', 12)
  for (const packet of [session, exists]) {
    const length = Buffer.alloc(4)
    length.writeInt32BE(packet.length)
    socket.write(Buffer.concat([length, packet]))
  }
  socket.resume()
  await once(socket, 'close', { signal: AbortSignal.timeout(5_000) })
})

await t.test('requests larger than a packet fill no memory', async t => {
  const clients = await Promise.all(Array.from({ length: 40 }, () => stranger('nobody:guess')))
  const big = Buffer.alloc(1024 * 1024)
  const sent = clients.map(client =>
    codeOf(done => client.create('/x', big, ANYONE, zookeeper.CreateMode.PERSISTENT, done))
  )
  t.notOk((await Promise.all(sent)).includes('done'))
  t.ok(await owner.create('/after', 'attack'), 'the owner is served')
})
