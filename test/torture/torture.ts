/**
 * `npm run torture`: a system of its own under load, to which everything happens that can
 * happen, at random but for a seed. Ends with a verdict; exit code 0 when all held.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import yargs from 'yargs'
import { failed, SEE_HELP, stopOnSignal } from '../../local/script.ts'
import { COMMON_KINDS, FAULT_KINDS, type FaultKind } from './draw.ts'
import { type Report, torture } from './run.ts'

const CHECKOUT = join(import.meta.dirname, '../..')

const options = await yargs(process.argv.slice(2))
  .scriptName('npm run torture --')
  .usage('$0 [options]\n\nHarms a system of its own at random, and judges what clients saw of it.')
  .option('minutes', { type: 'number', default: 10, describe: 'of faults' })
  .option('seed', { type: 'number', describe: 'draws the same faults again; random unless given' })
  .option('faults', {
    type: 'string',
    default: COMMON_KINDS.join(','),
    describe: `kinds to draw from: ${FAULT_KINDS.join(', ')}`
  })
  .option('clients', { type: 'number', default: 24, describe: 'at once' })
  .option('rate', { type: 'number', default: 10, describe: 'requests/s of each client' })
  .option('json', { type: 'string', describe: 'a file for the report' })
  .example('$0 --minutes 10', 'all kinds of faults')
  .example('$0 --seed 7 --faults kill', 'the same kills as the last time')
  .epilogue('Ctrl-C ends it with the verdict so far. Logs of a run that failed are in .torture/.')
  .check(({ minutes, seed = 0, faults, clients, rate }) => {
    const unknown = faults.split(',').filter(kind => !FAULT_KINDS.some(known => known === kind))
    if (unknown.length > 0) return `--faults: there is no ${unknown.join(', ')}`
    if (!Number.isSafeInteger(seed) || seed < 0) return '--seed is a whole number from 0'
    const isFine = minutes > 0 && rate > 0 && Number.isInteger(clients) && clients > 0
    return isFine || 'minutes, clients and rate are numbers above 0'
  })
  .strict()
  .showHelpOnFail(false, SEE_HELP)
  .parseAsync()

const seed = options.seed ?? Math.floor(Math.random() * 1e6)
const stopped = stopOnSignal(line => console.log(line))
try {
  const report = await torture({
    seed,
    durationMs: options.minutes * 60_000,
    kinds: options.faults.split(',') as FaultKind[],
    clients: options.clients,
    perS: options.rate,
    show: line => console.log(line),
    stopped,
    evidenceDir: join(CHECKOUT, '.torture', `${new Date().toISOString().slice(0, 19)}-${seed}`)
  })
  print(report)
  if (options.json !== undefined)
    writeFileSync(options.json, `${JSON.stringify(report, null, 2)}\n`)
  process.exit(report.problems.length === 0 ? 0 : 1)
} catch (err) {
  failed(err)
}

function print(report: Report): void {
  const { faults, elections, changes, reads, hits, problems, stalls } = report
  const worst = stalls.toSorted((a, b) => b.writeGapMs - a.writeGapMs).slice(0, 3)
  console.log(`\n${faults} faults, ${elections} elections in ${report.seconds.toFixed(0)} s`)
  console.log(`writes: ${told(changes)}`)
  console.log(`reads:  ${told(reads)}; ${hits} from what orchestrators keep`)
  for (const { fault, writeGapMs } of worst) {
    console.log(`no write for ${(writeGapMs / 1_000).toFixed(2)} s after ${fault}`)
  }
  for (const problem of problems) console.log(`PROBLEM: ${problem}`)
  const again = `npm run torture -- --seed ${report.seed}`
  console.log(problems.length === 0 ? '\nall guarantees held' : `\nFAILED; again: ${again}`)
}

function told(outcomes: Report['changes']): string {
  return Object.entries(outcomes)
    .map(([outcome, count]) => `${count} ${outcome}`)
    .join(', ')
}
