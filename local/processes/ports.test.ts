import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import t from 'tap'
import { Ports } from './ports.ts'

t.test('a port in use is passed over for one some hundreds above', async t => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const used = (server.address() as AddressInfo).port
  await using ports = new Ports()
  const port = await ports.take(used)
  t.not(port, used)
  t.ok(used + 2_000 < 65_536 ? (port - used) % 100 === 0 : true)
})

t.test('two starters that ask for one port at the same moment get two', async t => {
  await using one = new Ports()
  await using other = new Ports()
  const [a, b] = await Promise.all([one.take(23_456), other.take(23_456)])
  t.not(a, b)
})
