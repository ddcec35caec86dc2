/**
 * `npm test`: everything, with servers of its own: unit tests, the simulator, integration tests, and
 * tests of a whole system that is started for them as `npm start` would. Runs beside
 * a running Convoy, and leaves nothing behind: that is checked too.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import yargs from 'yargs'
import { ensureSoftware } from '../local/install/install.ts'
import { SEE_HELP } from '../local/script.ts'
import { startConvoy, type TestConvoy } from '../testing/environment.ts'
import { bringBrowser } from './dashboard/browser.ts'
import { clearAway } from './left-behind.ts'
import { NONE, sum, type Totals, totalsLine } from './report.ts'
import { openScratch } from './scratch.ts'
import { CHECKOUT, type Kind, runTap, testFiles } from './suite.ts'

await yargs(process.argv.slice(2))
  .scriptName('npm test')
  .usage(
    '$0\n\nRuns all tests: unit, simulator, integration with real servers, whole system. Takes minutes.\n' +
      'Single files: npx tap path/to/x.test.ts. Without servers: npm run check.'
  )
  .demandCommand(0, 0)
  .strict()
  .showHelpOnFail(false, SEE_HELP)
  .parseAsync()

const SCHEDULES = 10_000
/** For one file. All that one waits for has a deadline of its own: this only ends what hangs. */
const SYSTEM_TIMEOUT_S = 600

const ending = new AbortController()
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  // Each time: npm, the shell and the terminal may all deliver the same Ctrl-C.
  process.on(name, () => ending.abort())
}

const startedAt = performance.now()
/** Everything that the tests start has this path in its command, folder or environment. */
const scratch = openScratch()
let totals: Totals = NONE
try {
  ensureSoftware(line => console.log(line))
  const noBrowser = bringBrowser(line => console.log(line))
  if (noBrowser !== null) console.log(`The dashboard is not tested: ${noBrowser}`)
  await run('Unit tests', () => tap('unit', { jobs: 2, timeoutS: 60 }))
  // Other schedules each time; the seed of one that fails is told.
  await run('Simulator', () => simulator('simulate.ts', '--seeds', String(SCHEDULES)))
  await run('Faults in the protocol that it has to find', () => simulator('mutations-run.ts'))
  await run('Decisions that it has to take', () => simulator('coverage.ts'))
  await run('Integration tests, with real RabbitMQ, ZooKeeper and PostgreSQL', () =>
    tap('integration', { jobs: 2, timeoutS: 180 })
  )
  await run('Whole system', wholeSystem)
} catch (err) {
  console.error(err)
  totals = sum(totals, { ...NONE, failed: 1 })
}
totals = sum(totals, await clearAway(scratch, line => console.log(line)))
const minutes = ((performance.now() - startedAt) / 60_000).toFixed(1)
console.log(`\n${totals.skipped} skipped, ${minutes} minutes`)
console.log(totalsLine(totals))
process.exit(totals.failed === 0 ? 0 : 1)

async function run(title: string, tests: () => Promise<Totals>): Promise<void> {
  if (ending.signal.aborted) throw new Error('stopped by a signal')
  console.log(`\n${title}`)
  totals = sum(totals, await tests())
}

async function simulator(file: string, ...options: string[]): Promise<Totals> {
  const args = [join(CHECKOUT, 'test', 'simulator', file), ...options]
  const child = spawn(process.execPath, args, { cwd: CHECKOUT, stdio: 'inherit' })
  ending.signal.addEventListener('abort', () => child.kill('SIGTERM'), { once: true })
  const [code] = await once(child, 'exit')
  return code === 0 ? { ...NONE, passed: 1 } : { ...NONE, failed: 1 }
}

/** One system for all of them: a start takes seconds. Tests that break things start their own. */
async function wholeSystem(): Promise<Totals> {
  await using convoy = await startConvoy()
  const env = { ...process.env, CONVOY_TEST_SYSTEM: JSON.stringify(described(convoy)) }
  return await tap('system', { jobs: 1, timeoutS: SYSTEM_TIMEOUT_S, env })
}

function tap(
  kind: Kind,
  options: { jobs: number; timeoutS: number; env?: NodeJS.ProcessEnv }
): Promise<Totals> {
  const show = (text: string) => console.log(text)
  const env = options.env ?? process.env
  return runTap(testFiles(kind), { ...options, env, show, stopped: ending.signal })
}

function described({ run: { addresses } }: TestConvoy) {
  return {
    lb: addresses.lb,
    usersApi: [addresses['users-api']],
    ridesApi: [addresses['rides-api']],
    orchestrator: addresses.orchestrator
  }
}
