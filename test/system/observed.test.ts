/**
 * What an operator sees of a whole system from outside: the figures of every process.
 */
import t from 'tap'
import { registered } from '../../grafana/registered.ts'
import { startCluster } from './cluster.ts'
import { write } from './database.ts'
import { until } from './wait.ts'

const WITHIN = { withinMs: 30_000 }
const PROCESSES = ['lb', 'orchestrator', 'rides-api', 'users-api', 'worker', 'worker', 'worker']

interface Target {
  readonly targets: readonly string[]
  readonly labels: { readonly service: string; readonly process: string }
}

const cluster = await startCluster(t)

async function targets(): Promise<readonly Target[]> {
  return (await (await fetch(`${cluster.url}/metrics/targets`)).json()) as Target[]
}

async function scrape({ targets: [host = ''] }: Target): Promise<string> {
  return (await fetch(`http://${host}/metrics`)).text()
}

const figure = (text: string, series: string) =>
  Number(
    text
      .split('\n')
      .find(line => line.startsWith(`${series} `))
      ?.split(' ')
      .at(-1) ?? 'NaN'
  )

await t.test('every process tells its figures where Prometheus is sent to', async t => {
  const all = await until('every process to be listed', WITHIN, async () => {
    const found = await targets()
    return found.length === PROCESSES.length ? found : undefined
  })
  t.strictSame(all.map(({ labels }) => labels.service).sort(), PROCESSES)
  const known = await registered()
  for (const target of all) {
    const { service } = target.labels
    const [, metrics = []] = [...known].find(([names]) => names.includes(service)) ?? []
    const text = await scrape(target)
    const told = [...text.matchAll(/^# TYPE (\S+) /gm)].map(([, name]) => name).sort()
    t.strictSame(told, metrics.map(({ name }) => name).sort(), service)
  }
})

await t.test('the parts of a write are told by those that have it', async t => {
  await write(cluster, { sql: 'create table seen (id int primary key)' })
  for (let i = 0; i < 20; i++) await write(cluster, { sql: `insert into seen values (${i})` })
  const workers = (await targets()).filter(({ labels }) => labels.service === 'worker')
  const texts = await Promise.all(workers.map(scrape))
  const masters = texts.filter(text => figure(text, 'convoy_worker_leads') === 1)
  t.equal(masters.length, 1)
  const count = (text: string, part: string) =>
    figure(text, `convoy_commit_part_seconds_count{part="${part}"}`)
  for (const text of texts) {
    const leads = masters.includes(text)
    for (const part of ['queue', 'execute', 'commit', 'confirm']) {
      t.equal(count(text, part) > 10, leads, `${part} ${leads ? 'at the master' : 'at a replica'}`)
    }
    if (!leads) t.ok(count(text, 'replicate') > 10)
    t.equal(figure(text, 'convoy_lag_entries'), 0)
    t.ok(figure(text, 'convoy_log_index') >= 21)
  }
})
