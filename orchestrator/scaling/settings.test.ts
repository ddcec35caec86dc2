import t from 'tap'
import { ConfigError } from '../../platform/config.ts'
import { SETTINGS } from '../../testing/fixtures/scaling.ts'
import { InvalidRequestError } from '../../wire/errors.ts'
import { loadOrchestratorConfig } from '../config.ts'
import { changed, policyChange, replicasChange } from './settings.ts'
import { startingSettings } from './start.ts'

const starting = (env: Record<string, string>) =>
  startingSettings(
    loadOrchestratorConfig({
      CONVOY_AMQP_URL: 'amqp://x',
      CONVOY_ZOOKEEPER: 'x:1',
      CONVOY_ZOOKEEPER_AUTH: 'a:b',
      CONVOY_WORKERS_DIR: '/nowhere',
      ...env
    })
  )

t.test("without settings: by load, 2 to 5 replicas, and 5 is nobody's choice", async t => {
  const numbers = { windowS: 120, readsPerReplica: 20, readsPerS: 1_000, coolDownS: 60 }
  t.strictSame(starting({}), {
    ...{ policy: 'load', count: 2, min: 2, max: 5, isMaxChosen: false },
    ...numbers
  })
  t.match(starting({ CONVOY_REPLICAS_MAX: '5' }), { max: 5, isMaxChosen: true })
  t.match(starting({ CONVOY_REPLICAS_MIN: '7' }), { min: 7, max: 7, isMaxChosen: false })
})

t.test('CONVOY_REPLICAS is a fixed count, whatever the policy', async t => {
  const env = { CONVOY_REPLICAS: '3', CONVOY_SCALE_POLICY: 'rate' }
  t.match(starting(env), { policy: 'fixed', count: 3 })
})

t.test('settings that let no write through, or contradict each other, are refused', async t => {
  t.throws(() => starting({ CONVOY_REPLICAS: '0' }), ConfigError)
  t.throws(() => starting({ CONVOY_REPLICAS_MIN: '1', CONVOY_MIN_COPIES: '3' }), ConfigError)
  t.throws(() => starting({ CONVOY_REPLICAS_MIN: '6', CONVOY_REPLICAS_MAX: '5' }), ConfigError)
  t.throws(() => starting({ CONVOY_SCALE_POLICY: 'magic' }), ConfigError)
  t.match(starting({ CONVOY_REPLICAS: '0', CONVOY_MIN_COPIES: '1' }), { count: 0 })
})

t.test('what an operator changed wins, the rest is as the environment has it', async t => {
  t.strictSame(changed(SETTINGS, {}), SETTINGS)
  t.strictSame(changed(SETTINGS, { max: 9 }), { ...SETTINGS, max: 9 })
  const unchosen = { ...SETTINGS, isMaxChosen: false }
  t.match(changed(unchosen, { max: 9 }), { max: 9, isMaxChosen: true })
  t.match(changed(unchosen, { windowS: 9 }), { isMaxChosen: false })
})

t.test('what is stored is not believed when it makes no sense', async t => {
  for (const wrong of [{ min: 6 }, { max: 0 }, { policy: 'magic' }, { windowS: '5' }, null, 7]) {
    t.equal(changed(SETTINGS, wrong), undefined)
  }
})

t.test('a count is a fixed one; bounds leave the policy as it is', async t => {
  t.strictSame(replicasChange({ count: 3 }, 2), { policy: 'fixed', count: 3 })
  t.strictSame(replicasChange({ min: 1, max: 1 }, 2), { min: 1, max: 1 })
})

t.test('contradictions are refused', async t => {
  const both = [{}, { min: 1 }, { max: 1 }, { count: 1, min: 1 }, { count: 1, min: 1, max: 2 }]
  for (const wrong of [...both, { min: 3, max: 2 }]) {
    t.throws(() => replicasChange(wrong, 2), InvalidRequestError)
  }
})

t.test('never fewer replicas than a write needs', async t => {
  t.throws(() => replicasChange({ count: 1 }, 3), InvalidRequestError)
  t.throws(() => replicasChange({ min: 1, max: 5 }, 3), InvalidRequestError)
  t.strictSame(replicasChange({ count: 2 }, 3), { policy: 'fixed', count: 2 })
})

t.test('a policy takes its numbers along; fixed keeps what is wanted', async t => {
  t.strictSame(policyChange({ kind: 'window', windowS: 5 }, 4), { policy: 'window', windowS: 5 })
  t.strictSame(policyChange({ kind: 'fixed' }, 4), { policy: 'fixed', count: 4 })
})
