import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import t, { type Test } from 'tap'
import { Pipelines } from './pipeline.ts'

/** An instance, the connections to it, and GETs without waiting. */
async function instance(t: Test, listener: RequestListener) {
  const sockets = new Set<Socket>()
  const server = createServer(listener).listen(0, '127.0.0.1')
  server.on('connection', socket => sockets.add(socket))
  await once(server, 'listening')
  const pipelines = new Pipelines(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  t.teardown(() => {
    pipelines.destroy(new Error('the test is over'))
    server.closeAllConnections()
    server.close()
  })
  const get = async (path: string, timeoutMs = 5_000) => {
    const piped = await pipelines.send(`GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`, timeoutMs)
    return piped?.kind === 'answer' ? `${piped.status} ${piped.body}` : piped
  }
  return { sockets, get }
}

t.test('each gets its own answer, on a connection that they share', async t => {
  const { sockets, get } = await instance(t, ({ url }, response) => {
    setTimeout(
      () => response.writeHead(200, { 'content-length': 2 }).end(url),
      url === '/0' ? 5 : 0
    )
  })
  const paths = ['/0', '/1', '/2', '/3']
  t.strictSame(
    await Promise.all(paths.map(path => get(path))),
    paths.map(path => `200 ${path}`)
  )
  t.equal(sockets.size, 1)
})

t.test('none joins those behind a slow one', async t => {
  const { sockets, get } = await instance(t, ({ url }, response) => {
    if (url === '/quick') response.writeHead(204).end()
  })
  void get('/slow')
  await new Promise(resolve => setTimeout(resolve, 20))
  t.equal(await get('/quick'), '204 ')
  t.equal(sockets.size, 2)
})

t.test('a connection that ends loses all that it had under way', async t => {
  const { get } = await instance(t, ({ url, socket }, response) => {
    if (url === '/die') socket.resetAndDestroy()
    else response.writeHead(204).end()
  })
  const [first, ...lost] = await Promise.all(['/', '/die', '/'].map(path => get(path)))
  t.equal(first, '204 ')
  for (const one of lost) t.match(one, { kind: 'failed', failure: 'lost' })
  t.equal(await get('/'), '204 ')
})

t.test('an answer that does not come in time is given up, with those behind it', async t => {
  const { get } = await instance(t, (request, response) => {
    if (request.url === '/first') response.writeHead(204).end()
  })
  t.equal(await get('/first'), '204 ', 'it is connected')
  t.match(await Promise.all([get('/', 30), get('/')]), [
    { kind: 'failed', failure: 'timeout' },
    { kind: 'failed', failure: 'lost' }
  ])
})

t.test('who cannot be reached is told so', async t => {
  const piped = await new Pipelines('http://127.0.0.1:1').send('', 1_000)
  t.match(piped, { kind: 'failed', failure: 'unreached', err: { code: 'ECONNREFUSED' } })
})

t.test('an answer without a length is asked for otherwise, and so is all for a while', async t => {
  const { get } = await instance(t, (_request, response) => {
    response.write('in ')
    response.end('parts')
  })
  t.match(await get('/'), { kind: 'otherwise' })
  t.equal(await get('/'), undefined)
})
