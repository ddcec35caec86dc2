/**
 * `npm run bench:failover`: starts a system of its own, does harm to it under load again
 * and again, and tells how long nobody was answered. In the end everything that was
 * acknowledged must be there, once.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import yargs from 'yargs'
import { SEE_HELP, stopOnSignal } from '../../local/script.ts'
import { Cluster } from '../../testing/cluster/cluster.ts'
import { keepLogs } from '../../testing/evidence.ts'
import { provenanceOf } from '../report/provenance.ts'
import { endAfter, timedSay } from '../script.ts'
import { type Line, lineOf } from './figures.ts'
import { type Found, Load, type Seen } from './load.ts'
import { SCENARIOS, type Scenario } from './scenarios.ts'
import { printTable } from './table.ts'

const RESULTS = join(import.meta.dirname, '..', 'results')
const PACKAGES = ['amqplib', 'fastify', 'node-zookeeper-client', 'pg', 'undici']
/** Before each harm: a new worker has come to rest, caches are warm. */
const CALM_MS = 3_000

const options = await yargs(process.argv.slice(2))
  .scriptName('npm run bench:failover --')
  .usage('$0 [options]\n\nHow long clients of Convoy wait when something of it dies or hangs.')
  .option('quick', { type: 'boolean', default: false, describe: 'each only a few times' })
  .option('only', {
    type: 'string',
    describe: `of ${SCENARIOS.map(({ name }) => name).join(', ')}; separated by commas`
  })
  .option('times', { type: 'number', describe: 'how often each; as the table says unless told' })
  .option('writers', { type: 'number', default: 64, describe: 'clients that write' })
  .option('readers', { type: 'number', default: 8, describe: 'clients that read' })
  .option('pause', {
    type: 'number',
    default: 20,
    describe: 'ms between an answer and the next request of a client'
  })
  .option('name', { type: 'string', default: 'latest', describe: 'of the file of the report' })
  .option('logs', { type: 'string', describe: 'a folder that the logs are copied to' })
  .example('$0 --times 20 --only nothing,master,handover', 'rows of the table in the README')
  .example('$0 --quick --only master,replica', '')
  .epilogue('The report is written to bench/results/failover-<name>.json.')
  .check(({ only, times = 1, writers, readers, pause }) => {
    const unknown =
      only?.split(',').filter(one => SCENARIOS.every(({ name }) => name !== one)) ?? []
    if (unknown.length > 0) return `--only: there is no ${unknown.join(', ')}`
    const whole = [times, writers, readers].every(number => Number.isInteger(number) && number > 0)
    return (whole && pause >= 0) || 'times, writers and readers are whole numbers above 0'
  })
  .strict()
  .showHelpOnFail(false, SEE_HELP)
  .parseAsync()

const say = timedSay()
const stopped = stopOnSignal(say)
await endAfter(run, stopped)

async function run(): Promise<boolean> {
  const names = options.only?.split(',')
  const chosen = SCENARIOS.filter(({ name }) => names?.includes(name) ?? true)
  // One system for each way of connecting: a proxy in between would spoil the other figures.
  const parts: Part[] = []
  for (const network of [false, true]) {
    const scenarios = chosen.filter(one => (one.network ?? false) === network)
    if (scenarios.length > 0) parts.push(await measureAll(scenarios, network))
  }
  const lines = parts.flatMap(part => part.lines)
  printTable(lines)
  write(lines, parts)
  const kept = parts.map(isKept)
  return !kept.includes(false) && lines.every(({ missed }) => missed.length === 0)
}

/** What one system went through, and what its database held in the end. */
interface Part extends Found {
  readonly network: boolean
  readonly lines: readonly Line[]
}

async function measureAll(scenarios: readonly Scenario[], network: boolean): Promise<Part> {
  await using opened = new AsyncDisposableStack()
  say(network ? 'starting, with a network that can be cut' : 'starting')
  const cluster = opened.use(await Cluster.open({ network }))
  opened.defer(() => {
    if (options.logs !== undefined) keepLogs(cluster.folder, join(options.logs, `${network}`))
    say('stopping')
  })
  const { writers, readers, pause: pauseMs } = options
  const load = new Load({ cluster, writers, readers, pauseMs })
  await load.start()
  const lines: Line[] = []
  for (const scenario of scenarios) lines.push(await measure(cluster, load, scenario))
  return { network, lines, ...(await load.stop()) }
}

/** Whether all that was acknowledged is there, once, and nothing else but what nobody was told of. */
function isKept({ acknowledged, rows, values, unknown }: Found): boolean {
  say(`${acknowledged} writes acknowledged, ${unknown} not; ${rows} rows, ${values} values`)
  const kept = rows === values && rows >= acknowledged && rows <= acknowledged + unknown
  if (!kept) say('LOST OR DOUBLED')
  return kept
}

async function measure(cluster: Cluster, load: Load, scenario: Scenario): Promise<Line> {
  const { name, title, retrying = false } = scenario
  const times = options.times ?? (options.quick ? scenario.quickTimes : scenario.times)
  say(`${title}, ${times} times`)
  load.retrying = retrying
  const seen: Seen[] = []
  for (let time = 1; time <= times; time++) {
    await sleep(CALM_MS, undefined, { signal: stopped })
    const one = await harmed(cluster, load, scenario)
    seen.push(one)
    const { writeGapMs, readGapMs, errors } = one
    const gaps = `no write for ${writeGapMs.toFixed(0)} ms, no read for ${readGapMs.toFixed(0)} ms`
    say(`  ${name} ${time} of ${times}: ${gaps}, ${errors.length} errors`)
    for (const error of errors.slice(0, 3)) say(`    ${error}`)
  }
  return lineOf(scenario, seen)
}

async function harmed(cluster: Cluster, load: Load, { harm, lastsMs }: Scenario): Promise<Seen> {
  const fromMs = performance.now()
  const struck = await harm(cluster)
  const goesOn = load.goesOn()
  await sleep(lastsMs, undefined, { signal: stopped })
  if ('heal' in struck) await struck.heal()
  // One that was only paused is whole again with the same pid.
  await cluster.healed('heal' in struck ? [] : struck)
  await goesOn
  return load.seen({ fromMs, toMs: performance.now() })
}

function write(lines: readonly Line[], parts: readonly Part[]): void {
  const { writers, readers, pause: pauseMs } = options
  const report = {
    ...provenanceOf(PACKAGES),
    settings: { writers, readers, pauseMs },
    found: parts.map(({ lines: _, ...found }) => found),
    lines
  }
  mkdirSync(RESULTS, { recursive: true })
  const path = join(RESULTS, `failover-${options.name}.json`)
  writeFileSync(path, `${JSON.stringify(report, null, 2)}\n`)
  say(path)
}
