/**
 * `npm run bench:scaling`: starts a system of its own, and shows replicas that follow a
 * load of reads: how soon a new one serves, and what clients notice.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import yargs from 'yargs'
import { SEE_HELP, stopOnSignal } from '../../local/script.ts'
import { startConvoy } from '../../testing/environment.ts'
import { provenanceOf } from '../report/provenance.ts'
import { timeChart } from '../report/time-chart.ts'
import { endAfter, timedSay } from '../script.ts'
import { Client } from './client.ts'
import { fillTo, sizeOf } from './fill.ts'
import { measureJoins, settled } from './joins.ts'
import { panelsOf } from './plot.ts'
import { fillTable, type Ramp, runRamp, upAndDown } from './ramp.ts'

const RESULTS = join(import.meta.dirname, '..', 'results')
const PACKAGES = ['amqplib', 'autocannon', 'fastify', 'node-zookeeper-client', 'pg']
const GIB = 2 ** 30
const [MIN, MAX] = [2, 5]
const STEPS = 10

const options = await yargs(process.argv.slice(2))
  .scriptName('npm run bench:scaling --')
  .usage('$0 [options]\n\nReplicas of Convoy that follow a load of reads.')
  .option('window', { type: 'number', default: 10, describe: 'seconds, of the window policy' })
  .option('peak', { type: 'number', default: 500, describe: 'reads per second' })
  .option('step', { type: 'number', default: 10, describe: 'seconds, of each rate' })
  .option('joins', { type: 'number', default: 10, describe: 'replicas started to time them' })
  .option('large', {
    type: 'boolean',
    default: false,
    describe: 'times replicas of a database of 1 GiB too; takes some minutes'
  })
  .option('name', { type: 'string', default: 'latest', describe: 'of the files of the report' })
  .example('$0 --large', 'the figures of the README')
  .epilogue('The report is written to bench/results/: scaling-<name>.json and .svg.')
  .check(({ window, peak, step, joins }) => {
    const whole = [window, peak, step, joins].every(one => Number.isInteger(one) && one > 0)
    return whole || 'window, peak, step and joins are whole numbers above 0'
  })
  .strict()
  .showHelpOnFail(false, SEE_HELP)
  .parseAsync()

const say = timedSay()
const stopped = stopOnSignal(say)
await endAfter(run, stopped)

async function run(): Promise<boolean> {
  await using opened = new AsyncDisposableStack()
  say('starting')
  const convoy = opened.use(await startConvoy({ replicas: MIN }))
  opened.defer(() => say('stopping'))
  const client = new Client(convoy.run.addresses.orchestrator)
  await fillTable(client)
  const small = await timed(client, convoy.run.workersDir)
  const ramp = await follow(client)
  const large = options.large ? await timedLarge(client, convoy.run.workersDir) : null
  report({ joins: { small, large }, ramp })
  return true
}

interface Joins {
  /** Of a worker's PostgreSQL, log included. */
  readonly bytes: number
  readonly tookMs: readonly number[]
}

async function timed(client: Client, workersDir: string): Promise<Joins> {
  const bytes = sizeOf(workersDir)
  const times = bytes < GIB ? options.joins : Math.min(3, options.joins)
  say(`starting a replica ${times} times, of ${Math.round(bytes / 2 ** 20)} MiB`)
  const tookMs = await measureJoins(client, { times, stopped })
  const sorted = tookMs.toSorted((a, b) => a - b)
  const median = sorted[sorted.length >> 1] ?? 0
  say(`first read after ${seconds(median)} (median), ${seconds(sorted.at(-1) ?? 0)} (worst)`)
  return { bytes, tookMs }
}

async function timedLarge(client: Client, workersDir: string): Promise<Joins> {
  await client.setReplicas({ count: MIN })
  await settled(client, MIN)
  say('filling')
  await fillTo(client, { workersDir, bytes: GIB, stopped })
  return timed(client, workersDir)
}

async function follow(client: Client): Promise<Ramp> {
  const { window: windowS, peak, step: stepS } = options
  // At the peak all replicas are wanted, at a tenth of it the fewest.
  const readsPerReplica = Math.ceil((peak * windowS) / MAX)
  await client.setReplicas({ min: MIN, max: MAX })
  await client.setWindow({ windowS, readsPerReplica })
  const steps = upAndDown(peak / STEPS, peak, STEPS)
  say(`a load up to ${peak} reads/s, for ${steps.length * stepS} s`)
  const ramp = await runRamp({ client, steps, stepS, stopped })
  const most = Math.max(...ramp.replicas.map(({ serving }) => serving))
  say(`${ramp.answered} reads answered, ${ramp.failed} failed, up to ${most} replicas`)
  return ramp
}

function report(figures: { joins: { small: Joins; large: Joins | null }; ramp: Ramp }): void {
  const { window: windowS, peak, step: stepS } = options
  const settings = { windowS, peak, stepS, min: MIN, max: MAX }
  mkdirSync(RESULTS, { recursive: true })
  const path = join(RESULTS, `scaling-${options.name}`)
  const written = { ...provenanceOf(PACKAGES), settings, ...figures }
  writeFileSync(`${path}.json`, `${JSON.stringify(written, null, 2)}\n`)
  const title = `Replicas that follow a load of reads (windows of ${windowS} s)`
  writeFileSync(`${path}.svg`, timeChart(title, panelsOf(figures.ramp)))
  say(`${path}.json`)
  say(`${path}.svg`)
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(2)} s`
}
