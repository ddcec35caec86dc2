/**
 * `npm run torture:combined`: two and three faults at once, again and again, until the time
 * is up; then a verdict, and a table of how long it took to recover. Exit code 0 when all
 * held.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import yargs from 'yargs'
import { failed, SEE_HELP, stopOnSignal } from '../../../local/script.ts'
import { KINDS, type Kind } from './plan.ts'
import { linesOf, tableOf } from './recovery.ts'
import { combined, type Report } from './run.ts'

const CHECKOUT = join(import.meta.dirname, '../../..')
const RESULTS = join(CHECKOUT, 'bench', 'results')
/** A shorter run makes its share of keys and tables. */
const WHOLE_MINUTES = 30

const options = await yargs(process.argv.slice(2))
  .scriptName('npm run torture:combined --')
  .usage(
    '$0 [options]\n\nTwo and three faults at once, and how long it takes to recover from them.'
  )
  .option('minutes', { type: 'number', default: WHOLE_MINUTES, describe: 'of faults' })
  .option('seed', { type: 'number', describe: 'draws the same faults again; random unless given' })
  .option('faults', {
    type: 'string',
    default: KINDS.join(','),
    describe: 'kinds to draw from'
  })
  .option('clients', { type: 'number', default: 16, describe: 'at once' })
  .option('rate', { type: 'number', default: 5, describe: 'requests/s of each client' })
  .option('connections', { type: 'number', default: 2_000, describe: 'of the fault of that name' })
  .option('keys', { type: 'number', describe: 'in all; 20,000 in half an hour' })
  .option('tables', { type: 'number', describe: 'in all; 10,000 in half an hour' })
  .option('lasts', { type: 'number', default: 40, describe: 'seconds, at most, of one fault' })
  .option('name', { type: 'string', describe: 'of the report, bench/results/combined-<name>.json' })
  .example('$0 --minutes 30', 'all kinds of faults')
  .example('$0 --seed 7 --faults pause,clock', 'the same pauses and jumps as the last time')
  .epilogue('Ctrl-C ends it with the verdict so far. Logs of a run that failed are in .torture/.')
  .check(({ minutes, seed = 0, faults, rate, lasts, clients, connections }) => {
    const unknown = faults.split(',').filter(kind => !KINDS.some(known => known === kind))
    if (unknown.length > 0) return `--faults: there is no ${unknown.join(', ')}`
    if (!Number.isSafeInteger(seed) || seed < 0) return '--seed is a whole number from 0'
    const counts = [clients, connections].every(n => Number.isInteger(n) && n > 0)
    return (minutes > 0 && rate > 0 && lasts >= 1 && counts) || 'numbers are above 0'
  })
  .strict()
  .showHelpOnFail(false, SEE_HELP)
  .parseAsync()

const seed = options.seed ?? Math.floor(Math.random() * 1e6)
const share = Math.min(1, options.minutes / WHOLE_MINUTES)
const stopped = stopOnSignal(line => console.log(line))
try {
  const report = await combined({
    seed,
    durationMs: options.minutes * 60_000,
    kinds: options.faults.split(',') as Kind[],
    clients: options.clients,
    perS: options.rate,
    connections: options.connections,
    keys: options.keys ?? Math.ceil(20_000 * share),
    tables: options.tables ?? Math.ceil(10_000 * share),
    lastsMaxMs: options.lasts * 1_000,
    show: line => console.log(line),
    stopped,
    evidenceDir: join(CHECKOUT, '.torture', `combined-${seed}`)
  })
  print(report)
  if (options.name !== undefined) write(options.name, report)
  process.exit(report.problems.length === 0 ? 0 : 1)
} catch (err) {
  failed(err)
}

function print(report: Report): void {
  const { rounds, changes, reads, keys, tables, answers, problems } = report
  console.log(`\n${tableOf(linesOf(rounds))}\n`)
  console.log(`${rounds.length} rounds in ${report.seconds.toFixed(0)} s, seed ${report.seed}`)
  console.log(`writes: ${JSON.stringify(changes)}, reads: ${JSON.stringify(reads)}`)
  console.log(`keys: ${JSON.stringify(keys)}, ${tables} tables`)
  console.log(`other answers: ${JSON.stringify(answers)}`)
  for (const problem of problems) console.log(`PROBLEM: ${problem}`)
  const again = `npm run torture:combined -- --minutes ${options.minutes} --seed ${report.seed}`
  console.log(problems.length === 0 ? '\nall guarantees held' : `\nFAILED; again: ${again}`)
}

/** Beside the figures of other runs. */
function write(name: string, report: Report): void {
  mkdirSync(RESULTS, { recursive: true })
  const path = join(RESULTS, `combined-${name}`)
  const lines = linesOf(report.rounds)
  writeFileSync(`${path}.json`, `${JSON.stringify({ ...report, lines }, null, 1)}\n`)
  writeFileSync(`${path}.md`, `${tableOf(lines)}\n`)
  console.log(`${path}.json, ${path}.md`)
}
