/**
 * `npm run bench:compare -- A B`: two reports of `npm run bench`, and where the second
 * one is worse. Exits 1 when it is anywhere.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import yargs from 'yargs'
import { failed, SEE_HELP, UserError } from '../local/script.ts'
import { type Change, compare } from './report/comparison.ts'
import type { Report } from './report/report.ts'
import type { Spread } from './report/summary.ts'
import { aligned } from './report/table.ts'

const RESULTS = join(import.meta.dirname, 'results')
const HEAD = ['workload', 'connections', 'contestant', 'to', 'before', 'after', 'change', '']

const {
  _: [before, after]
} = await yargs(process.argv.slice(2))
  .scriptName('npm run bench:compare --')
  .usage(
    '$0 <before> <after>\n\nShows where the second report, named or by its path, is better or worse.'
  )
  .demandCommand(2, 2, 'Name two reports.', 'Name two reports.')
  .example('$0 2026-11-22 latest', 'the last run against the published one')
  .epilogue(
    'Compared are throughputs as ratios to a contestant of the same run. Worse is what is\n' +
      'slower by more than a tenth and in every round. Exits 1 when anything is.'
  )
  .strict()
  .showHelpOnFail(false, SEE_HELP)
  .parseAsync()

try {
  const changes = compare(read(String(before)), read(String(after)))
  if (changes.length === 0) throw new UserError('These two reports have nothing in common.')
  console.log(aligned([HEAD, ...changes.map(rowOf)]))
  process.exitCode = changes.some(({ verdict }) => verdict === 'worse') ? 1 : 0
} catch (err) {
  failed(err)
}

function read(name: string): Report {
  const path = name.endsWith('.json') ? name : join(RESULTS, `${name}.json`)
  try {
    const report = JSON.parse(readFileSync(path, 'utf8')) as Report
    if (report.references !== undefined) return report
  } catch (cause) {
    throw new UserError(`${path} cannot be read: ${(cause as Error).message}`)
  }
  throw new UserError(`${path} is not a report of this version of npm run bench.`)
}

function rowOf({ before, after, verdict, ...what }: Change): string[] {
  const percent = Math.round(100 * (after.median / before.median - 1))
  return [
    ...[what.workload, `${what.connections}`, what.contestant, what.reference],
    ...[withSpread(before), withSpread(after), `${percent > 0 ? '+' : ''}${percent} %`],
    verdict === 'same' ? '' : verdict
  ]
}

function withSpread({ median, min, max }: Spread): string {
  return `${median.toFixed(2)} (${min.toFixed(2)} to ${max.toFixed(2)})`
}
