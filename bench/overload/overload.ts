/**
 * `npm run bench:overload`: starts a system of its own, and tells what is done of small and of
 * large writes while once, twice, five and twenty times as many clients ask for them as it
 * takes to keep it busy; and how long a quick client beside them waits.
 */
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import yargs from 'yargs'
import { SEE_HELP, stopOnSignal } from '../../local/script.ts'
import { Cluster } from '../../testing/cluster/cluster.ts'
import { Bystander } from '../bystander/client.ts'
import { metIn } from '../bystander/figures.ts'
import { provenanceOf } from '../report/provenance.ts'
import { endAfter, timedSay } from '../script.ts'
import type { Order, Told } from './crowd.ts'
import { type Line, lineOf, markdownOf, missedIn, tableOf } from './figures.ts'

const RESULTS = join(import.meta.dirname, '..', 'results')
const CROWD = join(import.meta.dirname, 'crowd.ts')
const TIMES = [1, 2, 5, 20]
const KIB = 1024
/** Clients that keep the system busy: more of them get hardly more done. */
const SIZES = [
  { title: 'small', bytes: 100, clients: 32 },
  { title: '64 KiB', bytes: 64 * KIB, clients: 8 },
  { title: '7.9 MiB', bytes: 7.9 * KIB * KIB, clients: 2 }
]

const options = await yargs(process.argv.slice(2))
  .scriptName('npm run bench:overload --')
  .usage('$0 [options]\n\nWhat is done of writes while many times too many are asked for.')
  .option('seconds', { type: 'number', default: 10, describe: 'of each part' })
  .option('worst', { type: 'number', default: 1_500, describe: 'ms that no call beside may take' })
  .option('name', { type: 'string', default: 'latest', describe: 'of the file of the report' })
  .option('markdown', { type: 'boolean', default: false, describe: 'the table as Markdown' })
  .epilogue('The report is written to bench/results/overload-<name>.json.')
  .check(({ seconds }) => seconds > 0 || 'seconds is a number above 0')
  .strict()
  .showHelpOnFail(false, SEE_HELP)
  .parseAsync()

const REPORT = join(RESULTS, `overload-${options.name}.json`)
const say = timedSay()
const stopped = stopOnSignal(say)
await endAfter(run, stopped)

async function run(): Promise<boolean> {
  await using opened = new AsyncDisposableStack()
  say('starting')
  const cluster = opened.use(await Cluster.open())
  const bystander = opened.use(new Bystander(cluster.url, '127.0.0.2'))
  await bystander.prepare()
  await ask(cluster.url, 'write', 'create table crowd (k text primary key, v text not null)')
  const lines: Line[] = []
  for (const size of SIZES) {
    for (const times of TIMES) {
      stopped.throwIfAborted()
      const line = await measure(cluster, bystander, { ...size, times })
      lines.push(line)
      const { perS, refusedPerS, worstMs, unknown } = line
      const done = `${perS.toFixed(1)}/s done, ${refusedPerS.toFixed(0)}/s refused`
      say(`${size.title} × ${times}: ${done}, ${unknown} unknown; beside ${worstMs.toFixed(0)} ms`)
    }
  }
  mkdirSync(RESULTS, { recursive: true })
  const packages = ['amqplib', 'fastify', 'pg', 'undici']
  const report = { ...provenanceOf(packages), settings: { seconds: options.seconds }, lines }
  writeFileSync(REPORT, `${JSON.stringify(report, null, 2)}\n`)
  console.log(`\n${options.markdown ? markdownOf(lines) : tableOf(lines)}\n`)
  say(REPORT)
  const missed = missedIn(lines, options.worst)
  for (const one of missed) say(`MISSED: ${one}`)
  return missed.length === 0
}

interface Part {
  readonly title: string
  readonly bytes: number
  readonly clients: number
  readonly times: number
}

async function measure(cluster: Cluster, bystander: Bystander, part: Part): Promise<Line> {
  const { title, bytes, times } = part
  const clients = part.clients * times
  const name = `${bytes}-${times}`
  const order: Order = { url: cluster.url, clients, bytes, name }
  const crowd = new Worker(CROWD, { workerData: order })
  await once(crowd, 'online')
  const met = metIn(await bystander.run(options.seconds * 1_000))
  crowd.postMessage('stop')
  const [told] = (await once(crowd, 'message')) as [Told]
  // What is still on its way is answered before the rows are counted.
  const [end] = (await once(crowd, 'message')) as [Told]
  await crowd.terminate()
  const rows = await ask(
    cluster.url,
    'read',
    `select count(*) n from crowd where k like '${name}-%'`
  )
  await ask(cluster.url, 'write', 'truncate crowd')
  await bystander.untilQuick(1_000, 45_000)
  const kept = Number((rows as { rows: { n: string }[] }).rows[0]?.n)
  return lineOf({ title, times, clients, told, acknowledged: end.answers['200'] ?? 0, kept, met })
}

async function ask(url: string, path: 'read' | 'write', sql: string): Promise<unknown> {
  const read = { sql, consistency: 'strong' }
  const reply = await fetch(`${url}/api/v1/db/${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(path === 'read' ? read : { statements: [{ sql }] })
  })
  if (!reply.ok) throw new Error(`${sql}: ${reply.status} ${await reply.text()}`)
  return reply.json()
}
