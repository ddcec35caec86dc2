/**
 * `npm run check`: all that needs no server. Format, lint, types, unit tests; each
 * step that fails counts as one.
 */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { NONE, sum, type Totals, totalsLine } from './report.ts'
import { CHECKOUT, runTap, testFiles } from './suite.ts'

const UNIT_JOBS = 2
const UNIT_TIMEOUT_S = 60

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

const totals = [
  step('format and lint', 'biome', 'check', '--reporter=summary'),
  step('types', 'tsc'),
  await runTap(testFiles('unit'), {
    jobs: UNIT_JOBS,
    timeoutS: UNIT_TIMEOUT_S,
    env: process.env,
    show: text => console.log(text)
  })
].reduce(sum)
console.log(totalsLine(totals))
process.exit(totals.failed === 0 ? 0 : 1)
