/**
 * `npm run chaos`: does harm to a running system, or to one of its own, under a load of
 * unique writes and reads, and tells whether the guarantees held and what clients
 * noticed. Exit code 0 when all held.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import yargs from 'yargs'
import { failed, SEE_HELP, stopOnSignal, UserError } from '../../local/script.ts'
import { Dice } from '../../testing/random.ts'
import { timedSay } from '../script.ts'
import { drawPlan, FAULTS, type FaultName, parsePlan } from './plan.ts'
import { writeReport } from './report/write.ts'
import { runChaos } from './run.ts'
import { openTarget, TARGETS, type TargetName } from './targets/open.ts'
import type { Target } from './targets/target.ts'

const EVIDENCE = join(import.meta.dirname, '../..', '.torture')

const options = await yargs(process.argv.slice(2))
  .scriptName('npm run chaos --')
  .usage(
    '$0 [options]\n\nHarms a Convoy under load, and judges what its clients saw: the system that `npm start` or\n' +
      '`npm run compose:up` runs here, or, where none runs, one of its own.'
  )
  .option('target', {
    choices: TARGETS,
    describe:
      'what to harm: process (`npm start`), docker (`compose:up`), own; found out unless told'
  })
  .option('own', { type: 'boolean', default: false, describe: 'the same as --target own' })
  .option('cluster', { type: 'string', default: 'main', describe: 'of the stack in containers' })
  .option('minutes', { type: 'number', default: 5, describe: 'of faults' })
  .option('every', { type: 'number', default: 15, describe: 'seconds from fault to fault' })
  .option('rate', {
    type: 'number',
    default: 200,
    describe: 'requests/s, whatever becomes of them'
  })
  .option('seed', { type: 'number', describe: 'draws the same plan again; random unless given' })
  .option('faults', { type: 'string', describe: `to draw from: ${FAULTS.join(', ')}` })
  .option('plan', { type: 'string', describe: 'a file: a list of faults, or the report of a run' })
  .option('workers', { type: 'number', default: 3, describe: 'of a system of its own' })
  .option('orchestrators', { type: 'number', default: 2, describe: 'of a system of its own' })
  .option('name', { type: 'string', default: 'latest', describe: 'of the files of the report' })
  .example('$0 --own --minutes 30', 'half an hour, every kind of fault')
  .example('$0 --target docker --faults kill-master,kill-lb --every 20', '')
  .example('$0 --own --plan bench/results/chaos-latest.json', 'the same faults again')
  .epilogue(
    'Ctrl-C ends it with the verdict so far. Reports: bench/results/chaos-<name>.json, .svg, .txt. Plans, and what counts\n' +
      'as an error: docs/chaos.md.'
  )
  .check(({ minutes, every, rate, seed = 0, faults, workers, orchestrators }) => {
    const unknown = faults?.split(',').filter(name => !FAULTS.some(known => known === name)) ?? []
    if (unknown.length > 0) return `--faults: there is no ${unknown.join(', ')}`
    if (!Number.isSafeInteger(seed) || seed < 0) return '--seed is a whole number from 0'
    if (!(minutes > 0 && every >= 2 && rate >= 4)) {
      return '--minutes is above 0, --every at least 2, --rate at least 4'
    }
    const isFine = [workers, orchestrators].every(n => Number.isInteger(n) && n >= 1 && n <= 9)
    return isFine || '--workers and --orchestrators are whole numbers from 1 to 9'
  })
  .conflicts('plan', 'faults')
  .strict()
  .showHelpOnFail(false, SEE_HELP)
  .parseAsync()

const say = timedSay()
const stopped = stopOnSignal(say)
try {
  const held = await chaos()
  process.exit(held ? 0 : 1)
} catch (err) {
  failed(err)
}

async function chaos(): Promise<boolean> {
  const seed = options.seed ?? Math.floor(Math.random() * 1e6)
  const given = options.plan === undefined ? undefined : parsePlan(readPlan(options.plan))
  const asked = given?.map(({ fault }) => fault) ?? (options.faults?.split(',') as FaultName[])
  await using target = await openTarget({
    name: options.own ? 'own' : (options.target as TargetName | undefined),
    ...{ cluster: options.cluster, faults: asked ?? FAULTS, say },
    ...{ workers: options.workers, orchestrators: options.orchestrators }
  })
  const faults = possible(target, asked)
  const [everyS, forS] = [options.every, options.minutes * 60]
  const plan = given ?? drawPlan({ faults, everyS, forS, cuts: target.cuts }, new Dice(seed))
  const last = plan.at(-1)?.atS ?? 0
  const durationMs = 1_000 * (given === undefined ? forS : last + everyS)
  say(`${plan.length} faults of ${target.title}, seed ${seed}, ${options.rate} requests/s`)
  const { rate: perS } = options
  const ran = await runChaos({ target, plan, perS, seed, durationMs, say, stopped })
  const title = `Chaos: ${perS} requests/s, a fault each ${everyS} s, seed ${seed}`
  const settings = { target: target.title, seed, perS, everyS, minutes: options.minutes }
  const { text, paths } = writeReport({ name: options.name, title, settings, plan, ran })
  console.log(`\n${text}`)
  for (const path of paths) say(path)
  if (!ran.verdict.held) {
    const dir = join(EVIDENCE, `chaos-${options.name}`)
    target.keepLogs(dir)
    say(`logs are kept in ${dir}`)
  }
  return ran.verdict.held
}

function readPlan(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (err) {
    throw new UserError(`--plan: ${String(err)}`)
  }
}

/** All that was asked for must be possible; what is merely drawn from is told. */
function possible({ unavailable }: Target, asked: readonly FaultName[] | undefined): FaultName[] {
  for (const [name, why] of unavailable) {
    if (asked?.includes(name)) throw new UserError(`${name} is not possible: ${why}`)
    if (asked === undefined) say(`without ${name}: ${why}`)
  }
  return [...(asked ?? FAULTS)].filter(name => !unavailable.has(name))
}
