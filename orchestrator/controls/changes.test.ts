import t from 'tap'
import { type Controls, type InstanceNode, NO_CONTROLS } from '../../platform/controls/shapes.ts'
import {
  findInstance,
  operationsOf,
  withDisabled,
  withEnabled,
  withFrozen,
  withHost,
  withLogLevel,
  withNumbers,
  withStarted
} from './changes.ts'

const node = (
  service: InstanceNode['service'],
  pid: number,
  ...operations: string[]
): InstanceNode => {
  return { service, pid, version: 1, operations }
}
const instances = new Map<string, InstanceNode>([
  ['w', node('worker', 10)],
  ['r1', node('rides-api', 20, 'rides.create', 'rides.find')],
  ['r2', node('rides-api', 30, 'rides.create', 'rides.find')],
  ['l', node('lb', 40, 'lb.users-api')]
])
const frozenNow = (frozen: Controls['frozen']): Controls => ({ ...NO_CONTROLS, frozen })
const freeze = (id: string, force = false) => withFrozen(id, { instances, force })

t.test('a level or a number that is null is that of the environment again', async t => {
  const set = withLogLevel('worker', 'debug')(NO_CONTROLS)
  t.strictSame(set.logLevels, { worker: 'debug' })
  t.strictSame(withLogLevel('worker', null)(set), NO_CONTROLS)
  const lanes = withNumbers('lanes', { batch: 8, inFlight: 2 })(set)
  t.strictSame(withNumbers('lanes', { batch: null })(lanes).lanes, { inFlight: 2 })
  t.strictSame(lanes.logLevels, set.logLevels, 'and what is not named stays')
  t.throws(() => withNumbers('workers', {})(set), { code: 'CONVOY_INVALID_REQUEST' })
})

t.test('only what a running instance offers can be switched off', async t => {
  const off = withDisabled('rides.create', instances)
  t.strictSame(off(off(NO_CONTROLS)).disabled, ['rides.create'])
  t.strictSame(withEnabled('rides.create', instances)(off(NO_CONTROLS)), NO_CONTROLS)
  const unknown = { code: 'CONVOY_OPERATION_UNKNOWN' }
  t.throws(() => withDisabled('rides.fly', instances)(NO_CONTROLS), unknown)
  t.throws(() => withEnabled('rides.fly', instances)(NO_CONTROLS), unknown)
  const gone = { ...NO_CONTROLS, disabled: ['old.call'] }
  t.strictSame(withEnabled('old.call', instances)(gone), NO_CONTROLS, 'nobody offers it any more')
})

t.test('operations are told with who offers them', async t => {
  t.strictSame(operationsOf(instances, { ...NO_CONTROLS, disabled: ['rides.find'] }), [
    { name: 'lb.users-api', services: ['lb'], enabled: true },
    { name: 'rides.create', services: ['rides-api'], enabled: true },
    { name: 'rides.find', services: ['rides-api'], enabled: false }
  ])
})

t.test('the last instance that serves is frozen only by force', async t => {
  const one = freeze('r1')(NO_CONTROLS)
  t.strictSame(one.frozen, { r1: 'rides-api' })
  t.strictSame(freeze('r1')(one), one, 'once more changes nothing')
  t.throws(() => freeze('r2')(one), { code: 'CONVOY_LAST_INSTANCE', statusCode: 409 })
  t.throws(() => freeze('l')(one), { code: 'CONVOY_LAST_INSTANCE' })
  t.strictSame(freeze('r2', true)(one).frozen, { r1: 'rides-api', r2: 'rides-api' })
  t.strictSame(freeze('w')(one).frozen, { r1: 'rides-api', w: 'worker' }, 'a worker always')
})

t.test('what has ended is forgotten, but for a worker, which keeps its id', async t => {
  const before = frozenNow({ gone: 'users-api', away: 'worker', r1: 'rides-api' })
  t.strictSame(withStarted('r1', instances)(before).frozen, { away: 'worker' })
  t.strictSame(withStarted('away', instances)(before).frozen, { r1: 'rides-api' })
})

t.test('an instance is known by its id, or by its pid where only one has it', async t => {
  t.equal(findInstance('r1', instances), 'r1')
  t.equal(findInstance('30', instances), 'r2')
  t.equal(findInstance('99', instances), undefined)
  const same = new Map([...instances, ['r3', node('rides-api', 30)] as const])
  t.equal(findInstance('30', same), undefined)
})

t.test('an engine joins once, under one name', async t => {
  const host = { name: 'two', url: 'tcp://two:2376' }
  const joined = withHost(host, [])(NO_CONTROLS)
  t.strictSame(joined.hosts, [host])
  t.strictSame(withHost(host, [])(joined), joined, 'again does nothing')
  const refused = { code: 'CONVOY_HOST_REFUSED' }
  t.throws(() => withHost({ ...host, name: 'three' }, [])(joined), refused)
  t.throws(() => withHost({ ...host, url: 'tcp://three:2376' }, [])(joined), refused)
  t.throws(() => withHost(host, [host.url])(NO_CONTROLS), refused, 'one of the environment')
})
