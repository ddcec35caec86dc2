import { Registry } from 'prom-client'
import t, { type Test } from 'tap'
import { openHttp } from '../http.ts'
import { openLog } from '../log.ts'
import { Gate } from './gate.ts'

async function server(t: Test) {
  const gate = new Gate()
  const app = await openHttp({
    service: 'test',
    title: 'test',
    log: openLog({ service: 'test', level: 'silent' }),
    metrics: new Registry(),
    bodyLimit: 1_000,
    missing: () => [],
    gate
  })
  t.teardown(() => app.close())
  app.get('/one', { schema: { operationId: 'test.one' } }, () => 'one')
  app.get('/two', { schema: { operationId: 'test.two' } }, () => 'two')
  app.get('/controls', () => 'open')
  const get = async (url: string) => {
    const { statusCode, body, headers } = await app.inject(url)
    const code = statusCode === 200 ? undefined : JSON.parse(body).code
    return [statusCode, code, headers['retry-after']]
  }
  return { gate, get }
}

const OK = [200, undefined, undefined]

t.test('operations are what the routes call themselves', async t => {
  const { gate } = await server(t)
  t.strictSame([...gate.operations], ['test.one', 'test.two'])
})

t.test('a disabled operation is refused, with when to come again; others are not', async t => {
  const { gate, get } = await server(t)
  t.strictSame(await get('/one'), OK)
  gate.set({ frozen: false, disabled: ['test.one', 'other.call'] })
  t.strictSame(await get('/one'), [503, 'CONVOY_OPERATION_DISABLED', '10'])
  t.strictSame(await get('/two'), OK)
  t.throws(() => gate.check('test.one'), { code: 'CONVOY_OPERATION_DISABLED' })
  gate.set({ frozen: false, disabled: [] })
  t.strictSame(await get('/one'), OK)
  t.doesNotThrow(() => gate.check('test.one'))
})

t.test('a frozen instance refuses all operations, and answers what is none', async t => {
  const { gate, get } = await server(t)
  gate.set({ frozen: true, disabled: ['test.one'] })
  t.strictSame(await get('/one'), [503, 'CONVOY_OPERATION_DISABLED', '10'], 'on no instance')
  t.strictSame(await get('/two'), [503, 'CONVOY_FROZEN', '1'], 'on others')
  t.strictSame(await get('/controls'), OK)
  t.strictSame(await get('/livez'), OK)
})
