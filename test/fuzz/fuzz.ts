/**
 * `npm run fuzz`: random statements over all that PostgreSQL has, against a cluster of its
 * own with a bystander. Exit code 0 when nobody was hurt.
 */
import { writeFileSync } from 'node:fs'
import yargs from 'yargs'
import { failed, SEE_HELP, stopOnSignal } from '../../local/script.ts'
import { Cluster } from '../../testing/cluster/cluster.ts'
import { type FuzzReport, fuzz } from './run.ts'

const options = await yargs(process.argv.slice(2))
  .scriptName('npm run fuzz --')
  .usage(
    '$0 [options]\n\nSends random statements to a cluster of its own, and checks that nobody else is hurt.'
  )
  .option('minutes', { type: 'number', default: 10, describe: 'of statements' })
  .option('seed', { type: 'number', describe: 'draws the same statements again' })
  .option('clients', { type: 'number', default: 4, describe: 'hostile ones at once' })
  .option('rate', { type: 'number', default: 50, describe: 'requests/s of each of them, at most' })
  .option('compare-minutes', { type: 'number', default: 5, describe: 'between comparisons' })
  .option('json', { type: 'string', describe: 'a file for the report' })
  .example('$0 --minutes 60', 'every function and operator some dozens of times')
  .check(({ minutes, clients, rate, seed = 0 }) => {
    if (!Number.isSafeInteger(seed) || seed < 0) return '--seed is a whole number from 0'
    return (
      (minutes > 0 && rate > 0 && Number.isInteger(clients) && clients > 0) || 'numbers above 0'
    )
  })
  .strict()
  .showHelpOnFail(false, SEE_HELP)
  .parseAsync()

const stopped = stopOnSignal(line => console.log(line))
const show = (line: string) => console.log(line)
try {
  await using cluster = await Cluster.open({ say: show })
  const report = await fuzz({
    cluster,
    seed: options.seed ?? Math.floor(Math.random() * 1e6),
    durationMs: options.minutes * 60_000,
    clients: options.clients,
    perS: options.rate,
    compareEveryMs: options['compare-minutes'] * 60_000,
    show,
    stopped
  })
  print(report)
  if (options.json !== undefined) {
    writeFileSync(options.json, `${JSON.stringify(report, null, 2)}\n`)
  }
  process.exitCode = report.problems.length === 0 ? 0 : 1
} catch (err) {
  failed(err)
}

function print(report: FuzzReport): void {
  const {
    departures,
    heldUp,
    requests,
    seconds,
    calls,
    callables,
    statuses,
    refusals,
    bystander,
    problems
  } = report
  console.log(`\n${requests} requests in ${seconds} s; ${calls} calls of ${callables} callables`)
  console.log(`${departures} times a worker left the in-sync set and came back`)
  console.log(`${heldUp} slow answers to the bystander while a schema change ran`)
  console.log(`statuses: ${JSON.stringify(statuses)}`)
  console.log(`refusals: ${JSON.stringify(refusals)}`)
  for (const [what, { count, medianMs, p99Ms, worstMs }] of Object.entries(bystander)) {
    console.log(
      `bystander ${what}: ${count}, median ${medianMs} ms, p99 ${p99Ms}, worst ${worstMs}`
    )
  }
  for (const problem of problems) console.log(`PROBLEM ${problem}`)
  const again = `npm run fuzz -- --seed ${report.seed}`
  console.log(problems.length === 0 ? '\nnobody was hurt' : `\nFAILED; again: ${again}`)
}
