/**
 * `npm run bench:bystander`: starts a system of its own, and tells how long a quick client
 * waits alone and beside each of the attacks that one client can make with ordinary requests.
 */
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import yargs from 'yargs'
import { SEE_HELP, stopOnSignal } from '../../local/script.ts'
import { Cluster } from '../../testing/cluster/cluster.ts'
import { keepLogs } from '../../testing/evidence.ts'
import { provenanceOf } from '../report/provenance.ts'
import { endAfter, timedSay } from '../script.ts'
import type { Order } from './attacker.ts'
import { ATTACKS, type Attack } from './attacks.ts'
import { Bystander, KINDS } from './client.ts'
import { type Line, markdownOf, metIn, missedIn, tableOf } from './figures.ts'

const RESULTS = join(import.meta.dirname, '..', 'results')
const ATTACKER = join(import.meta.dirname, 'attacker.ts')
const PACKAGES = ['amqplib', 'fastify', 'node-zookeeper-client', 'pg', 'undici']
/** Two clients to those who count by address. */
const BYSTANDER = '127.0.0.2'
const HOSTILE = '127.0.0.3'
const QUICK_MS = 1_000
const WELL_WITHIN_MS = 45_000

const options = await yargs(process.argv.slice(2))
  .scriptName('npm run bench:bystander --')
  .usage('$0 [options]\n\nHow long a quick client waits beside one that attacks.')
  .option('seconds', { type: 'number', default: 10, describe: 'of each part' })
  .option('only', {
    type: 'string',
    describe: `of ${ATTACKS.map(({ name }) => name).join(', ')}; separated by commas`
  })
  .option('worst', { type: 'number', default: 1_500, describe: 'ms that no call may take longer' })
  .option('name', { type: 'string', default: 'latest', describe: 'of the file of the report' })
  .option('markdown', { type: 'boolean', default: false, describe: 'the table as Markdown' })
  .option('logs', { type: 'string', describe: 'a folder that the logs are copied to' })
  .epilogue('The report is written to bench/results/bystander-<name>.json.')
  .check(({ only, seconds }) => {
    const unknown = only?.split(',').filter(one => ATTACKS.every(({ name }) => name !== one)) ?? []
    if (unknown.length > 0) return `--only: there is no ${unknown.join(', ')}`
    return seconds > 0 || 'seconds is a number above 0'
  })
  .strict()
  .showHelpOnFail(false, SEE_HELP)
  .parseAsync()

const REPORT = join(RESULTS, `bystander-${options.name}.json`)
const say = timedSay()
const stopped = stopOnSignal(say)
await endAfter(run, stopped)

async function run(): Promise<boolean> {
  const names = options.only?.split(',')
  const left = ATTACKS.filter(({ name }) => names?.includes(name) ?? true)
  const lines: Line[] = []
  // One system for all of them, and a new one after an attack from which it does not recover.
  while (left.length > 0) await measureAll(left, lines)
  const table = options.markdown ? markdownOf(lines) : tableOf(lines)
  console.log(`\n${table}\n\nAlone → beside the attacker.`)
  say(REPORT)
  const missed = missedIn(lines, options.worst)
  for (const one of missed) say(`MISSED: ${one}`)
  return missed.length === 0
}

/** @param left is emptied from its beginning, up to an attack that the system does not survive */
async function measureAll(left: Attack[], lines: Line[]): Promise<void> {
  await using opened = new AsyncDisposableStack()
  say('starting')
  const cluster = opened.use(await Cluster.open())
  opened.defer(() => {
    if (options.logs !== undefined) keepLogs(cluster.folder, join(options.logs, `${left.length}`))
    say('stopping')
  })
  const bystander = opened.use(new Bystander(cluster.url, BYSTANDER))
  await bystander.prepare()
  for (let attack = left.shift(); attack !== undefined; attack = left.shift()) {
    stopped.throwIfAborted()
    const line = await measure(cluster, bystander, attack)
    lines.push(line)
    write(lines)
    if (!line.recovered) return
  }
}

async function measure(cluster: Cluster, bystander: Bystander, attack: Attack): Promise<Line> {
  const { name, title } = attack
  const forMs = options.seconds * 1_000
  const alone = metIn(await bystander.run(forMs))
  const before = await eventsOf(cluster)
  const end = await begin({ url: cluster.url, attack: name, from: HOSTILE })
  const attacked = metIn(await bystander.run(forMs))
  const answers = await end()
  const events = difference(before, await eventsOf(cluster))
  const recovered = await recovers(cluster, bystander)
  const worst = KINDS.map(kind => `${kind} ${attacked[kind].worstMs.toFixed(0)}`)
  say(`${title}: worst ${worst.join(', ')} ms; it was answered ${JSON.stringify(answers)}`)
  if (events.length > 0) say(`  ${events.join(', ')}`)
  if (!recovered) say(`  NOT WELL AGAIN within ${WELL_WITHIN_MS / 1_000} s`)
  return { name, title, alone, attacked, answers, events, recovered }
}

/** Whether all is quick and whole again in time. */
async function recovers(cluster: Cluster, bystander: Bystander): Promise<boolean> {
  try {
    await bystander.untilQuick(QUICK_MS, WELL_WITHIN_MS)
    await cluster.healed()
    return true
  } catch {
    return false
  }
}

/** @returns what ends the attack, and tells what it was answered */
async function begin(order: Order): Promise<() => Promise<Record<string, number>>> {
  const attacker = new Worker(ATTACKER, { workerData: order })
  await once(attacker, 'online')
  return async () => {
    const answered = once(attacker, 'message')
    attacker.postMessage('stop')
    const [answers] = (await answered) as [Record<string, number>]
    await attacker.terminate()
    return answers
  }
}

type Events = ReadonlyMap<string, number>

async function eventsOf({ url }: Cluster): Promise<Events> {
  const text = await (await fetch(`${url}/metrics`)).text()
  const counts = text.matchAll(/^convoy_cluster_events_total\{type="(\w+)"\} (\d+)/gm)
  return new Map([...counts].map(([, type = '', count]) => [type, Number(count)]))
}

function difference(before: Events, after: Events): string[] {
  return ['elected', 'workerLost', 'diverged'].flatMap(type => {
    const count = (after.get(type) ?? 0) - (before.get(type) ?? 0)
    return count > 0 ? [`${type} ${count}`] : []
  })
}

function write(lines: readonly Line[]): void {
  const report = { ...provenanceOf(PACKAGES), settings: { seconds: options.seconds }, lines }
  mkdirSync(RESULTS, { recursive: true })
  writeFileSync(REPORT, `${JSON.stringify(report, null, 2)}\n`)
}
