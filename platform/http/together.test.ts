import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import { Registry } from 'prom-client'
import t from 'tap'
import { openHttp } from '../http.ts'
import { openLog } from '../log.ts'
import { answerTogether } from './together.ts'

t.test('requests one behind the other are answered in order, with one write', async t => {
  const app = await openHttp({
    service: 'test',
    title: 'test',
    log: openLog({ service: 'test', level: 'silent' }),
    metrics: new Registry(),
    bodyLimit: 1024,
    missing: () => []
  })
  t.teardown(() => app.close())
  answerTogether(app)
  const both = Promise.withResolvers<void>()
  let came = 0
  app.get('/:name', async request => {
    if (++came === 2) both.resolve()
    if (came <= 2) await both.promise
    return request.url
  })
  await app.listen({ host: '127.0.0.1', port: 0 })
  const socket = connect((app.server.address() as AddressInfo).port, '127.0.0.1')
  t.teardown(() => socket.destroy())
  const get = (path: string) => `GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`

  socket.write(get('/a') + get('/b'))
  const [answers] = await once(socket, 'data')
  t.match(String(answers), /^HTTP\/1.1 200 .*\r\n\r\n\/aHTTP\/1.1 200 .*\r\n\r\n\/b$/s)
  socket.write(get('/c'))
  t.match(String((await once(socket, 'data'))[0]), /\r\n\r\n\/c$/)
})
