/**
 * What an operator sees of a whole system from outside: the figures of every process, and
 * the way of one request through them, by its trace and by its id in their logs.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { findLines } from '../../orchestrator/dashboard/log-search.ts'
import { startCluster } from '../../testing/cluster/cluster.ts'
import { write } from '../../testing/cluster/database.ts'
import { call } from '../../testing/convoy.ts'
import { registered } from '../../testing/fixtures/registered-metrics.ts'
import { until } from '../../testing/wait.ts'

const WITHIN = { withinMs: 30_000 }
const PROCESSES = ['lb', 'orchestrator', 'rides-api', 'users-api', 'worker', 'worker', 'worker']

interface Target {
  readonly targets: readonly string[]
  readonly labels: { readonly service: string; readonly process: string }
}

interface Span {
  readonly service: string
  readonly name: string
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
}

interface Told {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly { value: { stringValue: string } }[] }
    readonly scopeSpans: readonly { readonly spans: readonly Omit<Span, 'service'>[] }[]
  }[]
}

/** A collector of traces, and all that it was sent. */
const spans: Span[] = []
const collector = createServer(async (request, response) => {
  let text = ''
  for await (const chunk of request) text += chunk
  if (request.url !== '/v1/traces' || request.method !== 'POST')
    return response.writeHead(404).end()
  for (const { resource, scopeSpans } of (JSON.parse(text) as Told).resourceSpans) {
    const service = resource.attributes[0]?.value.stringValue ?? ''
    for (const one of scopeSpans[0]?.spans ?? []) spans.push({ ...one, service })
  }
  return response.writeHead(200, { 'content-type': 'application/json' }).end('{}')
})
await new Promise<void>(resolve => collector.listen(0, '127.0.0.1', resolve))
const closeCollector = () => {
  collector.closeAllConnections()
  collector.close()
}
t.teardown(closeCollector)

const cluster = await startCluster(t, {
  settings: {
    CONVOY_OTLP_URL: `http://127.0.0.1:${(collector.address() as AddressInfo).port}`,
    CONVOY_LOG_LEVEL: 'debug'
  }
})

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

const ADA = { username: 'ada', password: '3d725109c7e7c0bfb9d709836735b56d943d263f' }
const RIDE = {
  created_by: 'ada',
  timestamp: '31-12-2030:00-30-18',
  source: '1',
  destination: '198'
}
const TRACE = '0af7651916cd43dd8448eb211c80319c'

const offer = (headers: Record<string, string>) =>
  call(`POST ${cluster.lbUrl}/api/v1/rides`, { body: RIDE, headers })

await t.test(
  'a write through lb is one trace, and each span has its caller for parent',
  async t => {
    t.equal((await call(`PUT ${cluster.lbUrl}/api/v1/users`, { body: ADA })).status, 201)
    const traceparent = `00-${TRACE}-b7ad6b7169203331-01`
    t.equal((await offer({ traceparent, 'x-request-id': 'ride-1' })).status, 201)
    const own = () => spans.filter(({ traceId }) => traceId === TRACE)
    const worker = await until("the worker's span", WITHIN, async () =>
      own().find(({ service }) => service === 'worker')
    )
    const way: Span[] = []
    const found = await until('all spans on its way', WITHIN, async () => {
      way.length = 0
      for (let at: Span | undefined = worker; at !== undefined; ) {
        way.unshift(at)
        const { parentSpanId }: Span = at
        at = own().find(({ spanId }) => spanId === parentSpanId)
      }
      return way[0]?.parentSpanId === 'b7ad6b7169203331' ? way : undefined
    })
    t.strictSame(
      found.map(({ service, name }) => [service, name]),
      [
        ['lb', 'POST /api/v1/rides*'],
        ['rides-api', 'POST /api/v1/rides'],
        ['orchestrator', 'CALL /api/v1/db/write'],
        ['worker', 'write']
      ]
    )
    for (const { startTimeUnixNano, endTimeUnixNano } of own()) {
      t.ok(BigInt(endTimeUnixNano) >= BigInt(startTimeUnixNano))
    }
  }
)

await t.test('its id is in the log lines of every process on its way', async t => {
  const { logs: logsDir, workers: workersDir } = cluster.folder
  const sources = await until('its lines', WITHIN, async () => {
    const { lines } = await findLines('ride-1', { logsDir, workersDir })
    const found = new Set(lines.map(({ source }) => source.replace(/ .*/, '')))
    return found.has('worker') && found.has('lb') ? found : undefined
  })
  for (const source of ['lb', 'rides-api', 'users-api', 'orchestrator', 'worker']) {
    t.ok(
      [...sources].some(one => one.startsWith(source)),
      source
    )
  }
})

await t.test(
  'a traceparent that is none is ignored, and one not to be recorded is not',
  async t => {
    for (const traceparent of ['00-0-0-01', `00-${'0'.repeat(32)}-b7ad6b7169203331-01`]) {
      t.equal((await offer({ traceparent })).status, 201)
    }
    const quiet = 'c0ffee1916cd43dd8448eb211c80319c'
    t.equal((await offer({ traceparent: `00-${quiet}-b7ad6b7169203331-00` })).status, 201)
    const before = spans.length
    t.equal((await offer({})).status, 201)
    await until('later spans', WITHIN, async () =>
      spans.slice(before).some(({ service }) => service === 'worker') ? true : undefined
    )
    t.ok(spans.every(({ traceId }) => traceId !== quiet && !/^0+$/.test(traceId)))
  }
)

await t.test('without its collector everything goes on', async t => {
  closeCollector()
  for (let i = 0; i < 20; i++) t.equal((await offer({})).status, 201)
})
