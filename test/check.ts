/**
 * `npm run check`: all that needs no server. Format, lint, types, unit tests; each
 * step that fails counts as one.
 */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import yargs from 'yargs'
import { SEE_HELP } from '../local/script.ts'
import { NONE, sum, type Totals, totalsLine } from './report.ts'
import { openScratch, removeScratch } from './scratch.ts'
import { CHECKOUT, runTap, testFiles } from './suite.ts'

const UNIT_JOBS = 2
const UNIT_TIMEOUT_S = 60

await yargs(process.argv.slice(2))
  .scriptName('npm run check')
  .usage('$0\n\nFormat, lint, types and unit tests: all that needs no server.')
  .demandCommand(0, 0)
  .strict()
  .showHelpOnFail(false, SEE_HELP)
  .parseAsync()

function step(name: string, command: string, ...args: string[]): Totals {
  const startedAt = performance.now()
  const { status } = spawnSync(join(CHECKOUT, 'node_modules', '.bin', command), args, {
    cwd: CHECKOUT,
    stdio: 'inherit'
  })
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1)
  console.log(`  ${status === 0 ? 'ok    ' : 'FAILED'}  ${name} (${seconds} s)`)
  return status === 0 ? { ...NONE, passed: 1 } : { ...NONE, failed: 1 }
}

const ending = new AbortController()
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(name, () => ending.abort())
}
const scratch = openScratch()
const totals = [
  step('format and lint', 'biome', 'check', '--reporter=summary'),
  step('types', 'tsc'),
  await runTap(testFiles('unit'), {
    jobs: UNIT_JOBS,
    timeoutS: UNIT_TIMEOUT_S,
    env: process.env,
    show: text => console.log(text),
    stopped: ending.signal
  })
].reduce(sum)
removeScratch(scratch)
console.log(totalsLine(totals))
process.exit(totals.failed === 0 ? 0 : 1)
