/** Changing `/wishes` in a real ZooKeeper. */
import t from 'tap'
import { openLog } from '../platform/log.ts'
import { WISHES } from '../platform/wire/znodes.ts'
import { openZooKeeper } from '../platform/zookeeper.ts'
import { startServices } from '../test/environment.ts'
import { changeWishes } from './wishes.ts'

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
  const leave = (id: string) =>
    changeWishes(zookeeper, wishes => ({ ...wishes, leaving: [...wishes.leaving, id].sort() }))
  const handOver = changeWishes(zookeeper, wishes => ({ ...wishes, handoverOf: 7 }))
  await Promise.all([leave('a'), handOver, leave('b'), leave('c')])
  const node = await zookeeper.read(WISHES)
  t.strictSame(JSON.parse(node?.data ?? ''), { leaving: ['a', 'b', 'c'], handoverOf: 7 })
})
