import t from 'tap'
import { NO_CONTROLS } from '../platform/controls/shapes.ts'
import { UsageError } from './outcome.ts'
import { type Present, SETTINGS, settingOf } from './settings.ts'

const PRESENT: Present = {
  cluster: {
    replicas: { count: null, min: 2, max: 5, wanted: 2, actual: 2 },
    policy: {
      kind: 'window',
      rule: 'one replica for 20 reads in 120 s',
      windowS: 120,
      readsPerReplica: 20,
      readsPerS: 1_000,
      coolDownS: 60,
      decision: null,
      reads: 0,
      next: null
    }
  },
  controls: { ...NO_CONTROLS, logLevels: { worker: 'debug' }, lanes: { batch: 9 } }
}

t.test('each setting has a value, or that of the environment', async t => {
  const values = Object.fromEntries(SETTINGS.map(({ key, value }) => [key, value(PRESENT)]))
  t.match(values, {
    replicas: '2..5',
    policy: 'window',
    'policy.windowS': 120,
    'log.worker': 'debug',
    'log.lb': null,
    'lanes.batch': 9,
    'workers.connections': null
  })
})

t.test('each is changed by its call', async t => {
  const change = (key: string, value: string) => settingOf(key).change(value, PRESENT)
  t.match(change('replicas', '3'), { path: '/api/v1/cluster/replicas', body: { count: 3 } })
  t.match(change('replicas', '2..4'), { body: { min: 2, max: 4 } })
  t.match(change('policy.windowS', '60'), { body: { kind: 'window', windowS: 60 } })
  t.match(change('log.lb', 'debug'), {
    path: '/api/v1/controls/log',
    body: { service: 'lb', level: 'debug' }
  })
  t.strictSame(change('log.lb', 'default').body, { service: 'lb', level: null })
  t.strictSame(change('workers.connections', 'default').body, { connections: null })
})

t.test('what is not known, or of no use, is a mistake of the user', async t => {
  t.throws(() => settingOf('nothing'), UsageError)
  t.throws(() => settingOf('replicas').change('many', PRESENT), UsageError)
  t.throws(() => settingOf('log.lb').change('loud', PRESENT), UsageError)
  t.throws(() => settingOf('lanes.batch').change('-1', PRESENT), UsageError)
})
