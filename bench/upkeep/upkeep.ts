/**
 * `npm run bench:upkeep`: starts a system of its own, and shows what it takes at rest,
 * and what clones, backups, catching up and letting go of the log cost while clients write.
 */
import { mkdirSync, mkdtempSync, statSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import yargs from 'yargs'
import { openFolder } from '../../local/folder.ts'
import { SEE_HELP, stopOnSignal } from '../../local/script.ts'
import { startConvoy, type TestConvoy } from '../../testing/environment.ts'
import { processesOf } from '../contestants/convoy.ts'
import { Load } from '../failover/load.ts'
import { memoryOf } from '../profile/processes.ts'
import { provenanceOf } from '../report/provenance.ts'
import { aligned } from '../report/table.ts'
import { Client } from '../scaling/client.ts'
import { sizeOf } from '../scaling/fill.ts'
import { settled } from '../scaling/joins.ts'
import { endAfter, timedSay } from '../script.ts'
import { backUp, bringBack, clone, fillLog, fillRows, pruned, silence } from './chores.ts'
import { type Cost, costOf } from './watch.ts'

const RESULTS = join(import.meta.dirname, '..', 'results')
const PACKAGES = ['amqplib', 'fastify', 'node-zookeeper-client', 'pg']
const SERVICES = ['lb', 'users-api', 'rides-api', 'orchestrator', 'rabbitmq', 'zookeeper']
const REPLICAS = 2
const MIB = 2 ** 20
const REST_MS = 10_000
const QUIET_MS = 20_000

const options = await yargs(process.argv.slice(2))
  .scriptName('npm run bench:upkeep --')
  .usage('$0 [options]\n\nMemory at rest; and clones, backups, catch-up and pruning under writes.')
  .option('mib', { type: 'number', default: 1_024, describe: 'size of the database' })
  .option('entries', { type: 'number', default: 10_000_000, describe: 'length of the log' })
  .option('writers', { type: 'number', default: 16, describe: 'clients that write all the time' })
  .option('name', { type: 'string', default: 'latest', describe: 'of the file of the report' })
  .example('$0', 'the figures of the README, in about 10 minutes')
  .epilogue('The report is written to bench/results/upkeep-<name>.json.')
  .check(({ mib, entries, writers }) => {
    const whole = [mib, entries, writers].every(one => Number.isInteger(one) && one > 0)
    return whole || 'mib, entries and writers are whole numbers above 0'
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
  const convoy = opened.use(await startConvoy({ replicas: REPLICAS }))
  opened.defer(() => say('stopping'))
  await sleep(REST_MS, undefined, { signal: stopped })
  const atRest = Object.fromEntries(await memoryOf(await processesOf(convoy.run, SERVICES)))
  printMemory(atRest)
  const chores = await costsOf(convoy)
  print(chores)
  mkdirSync(RESULTS, { recursive: true })
  const path = join(RESULTS, `upkeep-${options.name}.json`)
  const settings = { mib: options.mib, entries: options.entries, writers: options.writers }
  const report = { ...provenanceOf(PACKAGES), settings, memoryAtRest: atRest, chores }
  writeFileSync(path, `${JSON.stringify(report, null, 2)}\n`)
  say(path)
  return true
}

async function costsOf({ run }: TestConvoy): Promise<Cost[]> {
  const { workersDir } = run
  const client = new Client(run.addresses.orchestrator)
  const first = await underWrites(run, async cost => {
    await cost('nothing, for comparison', () => sleep(QUIET_MS))
    say(`filling ${options.mib} MiB below Convoy`)
    await fillRows(client, workersDir, options.mib * MIB)
    const size = `${Math.round(sizeOf(workersDir) / MIB)} MiB`
    await cost(`clone of ${size}`, () => clone(client, REPLICAS + 1))
    await clone(client, REPLICAS)
    await backups(run, { cost, size })
    await silence(client)
    await cost('catch-up after 10 s of silence', () => settled(client, REPLICAS))
  })
  say(`filling the log with ${options.entries} entries below Convoy`)
  const supervisor = run.pids['orchestrator'] ?? 0
  const index = await fillLog(client, { workersDir, entries: options.entries, supervisor })
  const second = await underWrites(run, cost =>
    cost(`pruning of ${options.entries} entries`, () => pruned(workersDir, { index, stopped }))
  )
  return [...first, ...second]
}

/** Of the same size: `repeat` and `md5` pack well, so the archive is smaller than another would be. */
async function backups(
  { addresses }: TestConvoy['run'],
  { cost, size }: { readonly cost: Chore; readonly size: string }
): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'convoy-backup-'))
  const restored = openFolder(mkdtempSync(join(tmpdir(), 'convoy-')), undefined)
  try {
    const file = join(dir, 'backup.tar.gz')
    await cost(`backup of ${size}`, () => backUp(addresses.orchestrator, file))
    say(`the archive has ${Math.round(statSync(file).size / MIB)} MiB`)
    await cost('its restore, beside it', () => bringBack(file, restored))
  } finally {
    // Not in one go, and not measured: the clients are in this process.
    for (const data of [dir, restored.workers]) await rm(data, { recursive: true, force: true })
    restored.remove()
  }
}

type Chore = (name: string, work: () => Promise<unknown>) => Promise<void>

async function underWrites(
  run: TestConvoy['run'],
  work: (cost: Chore) => Promise<void>
): Promise<Cost[]> {
  const { writers } = options
  const cluster = { url: run.addresses.orchestrator }
  const load = new Load({ cluster, writers, readers: 0, pauseMs: 0 })
  await load.start()
  const costs: Cost[] = []
  const processes = () => processesOf(run, SERVICES)
  await work(async (name, chore) => {
    stopped.throwIfAborted()
    say(name)
    const cost = await costOf(name, { load, folder: run.workersDir, processes }, chore)
    costs.push(cost)
    say(
      `  took ${(cost.tookMs / 1_000).toFixed(1)} s, no write for ${cost.writeGapMs.toFixed(0)} ms, ` +
        `the disk stood still for ${cost.diskStillMs?.toFixed(0) ?? '?'} ms`
    )
  })
  await load.stop()
  return costs
}

function printMemory(bytes: Readonly<Record<string, number>>): void {
  const rows = Object.entries(bytes).map(([name, pss]) => [name, (pss / MIB).toFixed(0)])
  console.log(`\n${aligned([['at rest', 'MiB'], ...rows])}\n`)
}

function print(costs: readonly Cost[]): void {
  const head = [
    'chore',
    'took s',
    'no write for ms',
    'disk still ms',
    'writes/s',
    'errors',
    'most memory, MiB'
  ]
  const rows = costs.map(cost => {
    const { name, tookMs, writeGapMs, diskStillMs, writes, errors, peakBytes } = cost
    const [most = ['', 0]] = Object.entries(peakBytes).toSorted(([, a], [, b]) => b - a)
    return [
      ...[name, (tookMs / 1_000).toFixed(1), writeGapMs.toFixed(0)],
      ...[diskStillMs?.toFixed(0) ?? ''],
      ...[((1_000 * writes) / tookMs).toFixed(0), `${errors}`],
      `${(most[1] / MIB).toFixed(0)} (${most[0]})`
    ]
  })
  console.log(`\n${aligned([head, ...rows])}\n`)
}
