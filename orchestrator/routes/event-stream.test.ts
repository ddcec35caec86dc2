import { once } from 'node:events'
import { request } from 'node:http'
import type { AddressInfo } from 'node:net'
import Fastify from 'fastify'
import t from 'tap'
import { EventStream } from './event-stream.ts'

t.test('a client that opens many streams leaves room for the others', async t => {
  const app = Fastify()
  const stream = new EventStream()
  t.teardown(() => app.close())
  app.addHook('preClose', async () => stream[Symbol.dispose]())
  app.get('/', (_request, reply) => stream.open(reply))
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
  const open = async (localAddress: string) => {
    const asked = request({ port, localAddress }).end()
    t.teardown(() => asked.destroy())
    const [answer] = await once(asked, 'response')
    return answer.statusCode as number
  }
  const greedy = await Promise.all(Array.from({ length: 120 }, () => open('127.0.0.2')))
  t.equal(greedy.filter(status => status === 200).length, 20)
  t.equal(greedy.filter(status => status === 503).length, 100)
  t.equal(await open('127.0.0.3'), 200)
})
