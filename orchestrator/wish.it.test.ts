/** Changing `/wishes` in a real ZooKeeper. */
import t from 'tap'
import { openLog } from '../platform/log.ts'
import { openZooKeeper } from '../platform/zookeeper.ts'
import { startServices } from '../testing/environment.ts'
import { WISHES } from '../wire/znodes.ts'
import { wish } from './wish.ts'

const log = openLog({ service: 'test', level: 'silent' })
const services = await startServices()
t.teardown(() => services[Symbol.asyncDispose]())

t.test('of wishes that are uttered at the same moment none is lost', async t => {
  const zookeeper = await openZooKeeper({
    hosts: services.CONVOY_ZOOKEEPER,
    auth: services.CONVOY_ZOOKEEPER_AUTH,
    cluster: 'c',
    sessionTimeoutMs: 2_000,
    log
  })
  t.teardown(() => zookeeper[Symbol.asyncDispose]())
  const outcomes = await Promise.all([
    wish(zookeeper, { leaving: ['a'] }),
    wish(zookeeper, { handoverOf: 7 })
  ])
  t.strictSame(outcomes.sort(), [false, true], 'whoever was slower is told')
  await wish(zookeeper, { leaving: ['a'] })
  await wish(zookeeper, { handoverOf: 7 })
  const node = await zookeeper.read(WISHES)
  t.strictSame(JSON.parse(node?.data ?? ''), { leaving: ['a'], handoverOf: 7 })
})
