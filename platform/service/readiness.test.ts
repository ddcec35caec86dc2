import t from 'tap'
import { NotReadyError } from './errors.ts'
import { Readiness } from './readiness.ts'

t.test('what a service waits for is named, not what it has not tried yet', async t => {
  const readiness = new Readiness()
  t.strictSame(readiness.missing, ['zookeeper', 'orchestrator', 'schema'])
  readiness.set('zookeeper', true)
  readiness.set('orchestrator', true)
  t.strictSame(readiness.missing, ['schema'])
  readiness.set('schema', true)
  t.strictSame(readiness.missing, ['rabbitmq'])
  t.throws(() => readiness.check(), NotReadyError)
})

t.test('calls are answered once everything was there, whatever goes missing later', async t => {
  const readiness = new Readiness()
  for (const need of ['orchestrator', 'schema', 'rabbitmq', 'zookeeper'] as const) {
    readiness.set(need, true)
  }
  readiness.set('rabbitmq', false)
  t.strictSame(readiness.missing, ['rabbitmq'])
  readiness.check()
})
