/**
 * `npm run bench`: compares Convoy with the same routes on PostgreSQL alone, all in one
 * run on this machine. Starts what it needs, and leaves nothing but its report.
 */
import { join } from 'node:path'
import yargs from 'yargs'
import { hideBin } from 'yargs/helpers'
import { stopOnSignal } from '../local/script.ts'
import { openBaseline } from './contestants/baseline.ts'
import type { Contestant } from './contestants/contestant.ts'
import { openConvoy } from './contestants/convoy.ts'
import { type CurvePoint, measureCurve } from './curve.ts'
import { randomOf } from './load/random.ts'
import { type Measurement, measure, type Run } from './measure.ts'
import { profileAll } from './profile/profile.ts'
import { reportOf } from './report/report.ts'
import { printTable } from './report/table.ts'
import { writeReport } from './report/write.ts'
import { cellsOf, type Plan, runsOf, warmUpOf } from './rounds.ts'
import { timedSay } from './script.ts'
import { checkSameAnswers, fill, fillLarge, LARGE_WORKLOADS, WORKLOADS } from './workloads.ts'

const RESULTS = join(import.meta.dirname, 'results')
const CONNECTIONS = [1, 10, 64]
const FULL_CONNECTIONS = [...CONNECTIONS, 256]
const PROFILE_CONNECTIONS = [64]
const LARGE_CONNECTIONS = [64]
const REFERENCES = ['baseline', 'standbys']

const options = await yargs(hideBin(process.argv))
  .scriptName('npm run bench --')
  .usage(
    '$0 [options]\n\nCompares Convoy with fastify and pg, on one PostgreSQL and on a primary with\n' +
      'synchronous standbys, in about 5 minutes.'
  )
  .option('quick', { type: 'boolean', default: false, describe: 'about 1 minute, less exact' })
  .option('full', {
    type: 'boolean',
    default: false,
    describe: 'with 256 connections, 5 million rows, and 1 to 4 replicas; about 20 minutes'
  })
  .option('profile', {
    type: 'boolean',
    default: false,
    describe: 'shows instead where the time goes, at 64 connections unless told'
  })
  .option('connections', { type: 'array', number: true, describe: 'only with so many' })
  .option('workload', {
    type: 'array',
    choices: WORKLOADS.map(({ name }) => name),
    describe: 'only these'
  })
  .option('rounds', {
    type: 'number',
    describe: 'of all measurements; 3 unless told, with --quick 1'
  })
  .option('seconds', {
    type: 'number',
    describe: 'for each measurement; 1.2 unless told, with --quick 0.5, with --profile 3'
  })
  .option('replicas', { type: 'number', default: 2, describe: 'of Convoy, beside the master' })
  .option('name', { type: 'string', default: 'latest', describe: 'of the files of the report' })
  .example('$0 --full --seconds 1.5', 'the figures of the README')
  .example('$0 --profile --workload write', 'CPU per process, and the costliest functions')
  .epilogue('The report is written to bench/results/: JSON with every round, and SVG plots.')
  .check(({ rounds = 1, seconds = 1, replicas, connections = [1] }) => {
    const counts = [rounds, replicas, ...connections]
    const whole = counts.every(number => Number.isInteger(number) && number > 0)
    return (whole && seconds > 0) || 'rounds, seconds, replicas and connections are above 0'
  })
  .strict()
  .parse()

const say = timedSay()
const stopped = stopOnSignal(say)
try {
  await run(stopped)
  process.exit(0)
} catch (err) {
  if (err !== stopped.reason) console.error(err)
  process.exit(1)
}

async function run(stopped: AbortSignal): Promise<void> {
  const compared = await compareAll(stopped)
  if (compared === undefined) return
  const { seconds } = compared.plan
  const curve = options.full ? await measureCurve({ seconds, say, stopped }) : undefined
  report(compared, curve)
}

interface Compared {
  readonly plan: Plan
  readonly measured: readonly (readonly [Run, Measurement])[]
}

async function compareAll(stopped: AbortSignal): Promise<Compared | undefined> {
  await using opened = new AsyncDisposableStack()
  const plan = planOf(await openAll(opened, stopped))
  stopped.throwIfAborted()
  say('filling the tables')
  await Promise.all(plan.contestants.map(fill))
  await checkSameAnswers(plan.contestants, randomOf(1))
  await warmUp(plan, stopped)
  if (options.profile) {
    await profileAll({ dir: join(RESULTS, 'profiles'), plan, stopped })
    return undefined
  }
  const measured = await measureAll(plan, stopped)
  if (!options.full) return { plan, measured }
  const large = { ...plan, workloads: LARGE_WORKLOADS, connections: LARGE_CONNECTIONS }
  say('filling the tables with 5 million rows')
  for (const one of plan.contestants) await fillLarge(one)
  await warmUp(large, stopped)
  return {
    plan: { ...plan, workloads: [...plan.workloads, ...LARGE_WORKLOADS] },
    measured: [...measured, ...(await measureAll(large, stopped))]
  }
}

async function warmUp(plan: Plan, stopped: AbortSignal): Promise<void> {
  say('warming up')
  const seconds = options.quick ? 0.5 : 2
  for (const one of warmUpOf(plan, seconds)) await measure(one, stopped)
}

async function openAll(opened: AsyncDisposableStack, stopped: AbortSignal): Promise<Contestant[]> {
  say('starting')
  const contestants: Contestant[] = []
  for (const open of [
    () => openBaseline({ standbys: 0, say }),
    () => openBaseline({ standbys: options.replicas, say }),
    () => openConvoy({ replicas: options.replicas, say })
  ]) {
    stopped.throwIfAborted()
    contestants.push(opened.use(await open()))
  }
  opened.defer(() => say('stopping'))
  return contestants
}

function planOf(contestants: Contestant[]): Plan {
  const { workload, quick } = options
  return {
    contestants,
    workloads: WORKLOADS.filter(({ name }) => workload?.includes(name) ?? true),
    connections: options.connections ?? usualConnections(),
    rounds: options.rounds ?? (quick ? 1 : 3),
    seconds: options.seconds ?? usualSeconds()
  }
}

function usualSeconds(): number {
  if (options.profile) return 3
  return options.quick ? 0.5 : 1.2
}

function usualConnections(): readonly number[] {
  if (options.profile) return PROFILE_CONNECTIONS
  return options.full ? FULL_CONNECTIONS : CONNECTIONS
}

async function measureAll(plan: Plan, stopped: AbortSignal): Promise<[Run, Measurement][]> {
  const measured: [Run, Measurement][] = []
  for (const one of runsOf(plan)) {
    const measurement = await measure(one, stopped)
    measured.push([one, measurement])
    const { workload, connections, contestant } = one
    const { perS, p50Ms, failed } = measurement
    const what = `${workload.name}, ${connections} connections, ${contestant.name}`
    const wrong = failed > 0 ? `, ${failed} FAILED` : ''
    say(`${what}: ${Math.round(perS)}/s, p50 ${p50Ms.toFixed(2)} ms${wrong}`)
  }
  return measured
}

function report({ plan, measured }: Compared, curve: CurvePoint[] | undefined): void {
  const { quick, full, replicas } = options
  const settings = { quick, full, replicas }
  const cells = cellsOf(measured)
  const written = reportOf(plan, {
    ...{ cells, references: REFERENCES, settings },
    ...(curve && { curve })
  })
  printTable(written)
  for (const path of writeReport(written, { dir: RESULTS, name: options.name })) say(path)
}
