/**
 * `npm run nightly`: what takes hours and draws other cases each time. Each step is a command
 * that can be run alone; one that fails tells the seed that repeats it.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { NONE, sum, type Totals, totalsLine } from './report.ts'
import { CHECKOUT } from './suite.ts'

const STEPS: readonly (readonly string[])[] = [
  ['simulate', '--seeds', '100000'],
  ['simulate:mutations'],
  ['torture', '--minutes', '30'],
  ['torture:combined', '--minutes', '1.5'],
  ['fuzz', '--minutes', '60']
]

let totals: Totals = NONE
for (const [script = '', ...args] of STEPS) {
  console.log(`\nnpm run ${script} -- ${args.join(' ')}`)
  const child = spawn('npm', ['run', '--silent', script, '--', ...args], {
    cwd: CHECKOUT,
    stdio: 'inherit'
  })
  const [code] = await once(child, 'exit')
  totals = sum(totals, code === 0 ? { ...NONE, passed: 1 } : { ...NONE, failed: 1 })
}
console.log(totalsLine(totals))
process.exitCode = totals.failed === 0 ? 0 : 1
