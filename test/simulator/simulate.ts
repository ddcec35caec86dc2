/**
 * `npm run simulate`: schedules of a simulated cluster, one per seed, on the functions
 * that production runs; all cores take part. A failing seed is printed, and the end of
 * what happened in it. `--seed` replays one and tells it all.
 */
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import yargs from 'yargs'
import { SEE_HELP } from '../../local/script.ts'
import { HEALED_WITHIN_MS } from './plan.ts'
import { type Figures, runSchedule } from './schedule.ts'
import type { Failed } from './seeds.ts'
import type { Report, Share } from './seeds-thread.ts'

const TRACE_LINES = 60
const FAILURES_MAX = 3
const PROGRESS_MS = 5_000

const options = await yargs(process.argv.slice(2))
  .scriptName('npm run simulate --')
  .usage(
    '$0\n\nRuns a simulated cluster through seeded schedules of faults.\n\nnpm run simulate -- --seeds 1000'
  )
  .option('seeds', {
    type: 'number',
    requiresArg: true,
    default: 1_000,
    describe: 'how many schedules to run'
  })
  .option('first', { type: 'number', describe: 'the first seed; a random one by default' })
  .option('seed', { type: 'number', describe: 'replay one schedule, and tell what happens in it' })
  .option('threads', { type: 'number', default: availableParallelism(), describe: 'how many' })
  .check(({ seeds, first, seed, threads }) => {
    const isSeed = (number = 0) => Number.isSafeInteger(number) && number >= 0
    const isCount = (number: number) => Number.isSafeInteger(number) && number >= 1
    if (!isCount(seeds) || !isCount(threads))
      return '--seeds and --threads are whole numbers above 0'
    return (isSeed(first) && isSeed(seed)) || '--first and --seed are whole numbers from 0'
  })
  .strict()
  .showHelpOnFail(false, SEE_HELP)
  .parse()

if (options.seed === undefined) {
  const first = options.first ?? Math.floor(Math.random() * 1e9)
  const failed = await runAll({ first, count: options.seeds, threads: options.threads })
  process.exitCode = failed === 0 ? 0 : 1
} else process.exitCode = replay(options.seed, line => console.log(line)) ? 0 : 1

/** @returns how many failed */
async function runAll(all: { first: number; count: number; threads: number }): Promise<number> {
  const began = performance.now()
  const totals = {
    schedules: 0,
    events: 0,
    acknowledged: 0,
    faults: 0,
    elections: 0,
    copies: 0,
    cpuMs: 0
  }
  const failed: Failed[] = []
  const threads: Worker[] = []
  const line = () => {
    const { schedules, cpuMs } = totals
    const rate = ((1_000 * schedules) / Math.max(1, cpuMs)).toFixed(0)
    return `${schedules} of ${all.count} schedules, ${failed.length} failed; ${rate} a second and core`
  }
  const progress = setInterval(() => console.log(line()), PROGRESS_MS)
  const heard = (report: Report) => {
    for (const name of Object.keys(totals) as (keyof typeof totals)[]) totals[name] += report[name]
    for (const one of report.failed) {
      if (failed.length < FAILURES_MAX) tell(one)
      failed.push(one)
    }
    if (failed.length >= FAILURES_MAX) for (const thread of threads) void thread.terminate()
  }
  const ends = Array.from({ length: all.threads }, (_, at) => {
    const count = Math.floor((all.count - at + all.threads - 1) / all.threads)
    const thread = start({ first: all.first + at, count, stride: all.threads }, heard)
    threads.push(thread.worker)
    return thread.ended
  })
  await Promise.all(ends).finally(() => clearInterval(progress))
  const { events, acknowledged, faults, elections, copies } = totals
  const s = ((performance.now() - began) / 1_000).toFixed(1)
  console.log(`${line()}; from seed ${all.first}, in ${s} s`)
  console.log(
    `${events} events, ${faults} faults, ${elections} terms, ${copies} copies, ${acknowledged} writes`
  )
  return failed.length
}

function start(share: Share, heard: (report: Report) => void) {
  const worker = new Worker(new URL('seeds-thread.ts', import.meta.url), { workerData: share })
  const ended = new Promise<void>((resolve, reject) => {
    worker.on('message', heard).on('error', reject).on('exit', resolve)
  })
  return { worker, ended }
}

function tell({ seed, text }: Failed): void {
  const trace: string[] = []
  replay(seed, line => trace.push(line))
  console.log(trace.slice(-TRACE_LINES).join('\n'))
  console.log(`\nSeed ${seed} failed: ${text}`)
  console.log(`Replay it with: npm run simulate -- --seed ${seed}\n`)
}

/** @returns whether it held */
function replay(seed: number, trace: (line: string) => void): boolean {
  try {
    trace(summaryOf(runSchedule(seed, { trace })))
    return true
  } catch (error) {
    trace(`FAILED ${error}`)
    return false
  }
}

function summaryOf({ virtualMs, events, elections, acknowledged, faults }: Figures): string {
  const within = `well and served again within ${HEALED_WITHIN_MS} ms`
  return `held: ${virtualMs.toFixed(0)} ms, ${events} events, ${faults} faults, ${elections} terms, ${acknowledged} writes, ${within}`
}
