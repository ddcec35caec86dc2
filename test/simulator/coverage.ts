/**
 * `npm run simulate:coverage`: how much of the decision functions the simulator runs,
 * as V8 counts it (types are stripped in place, so positions are those of the source).
 * Fails below the floor: a branch that no schedule takes is a decision that nobody tried.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import yargs from 'yargs'
import { SEE_HELP } from '../../local/script.ts'
import { CHECKOUT } from '../suite.ts'

/** Percent, of all files together. */
const BRANCHES_MIN = 95

const INCLUDED = ['workers/protocol/*.ts', 'orchestrator/lanes/pending-*.ts']
/** Tests; and the codec, which nothing simulated goes through. */
const EXCLUDED = ['**/*.test.ts', '**/messages.ts']

const options = await yargs(process.argv.slice(2))
  .usage('Runs the simulator, and tells which decisions it took.')
  .option('seeds', { type: 'number', default: 1_000, describe: 'how many schedules to run' })
  .option('first', { type: 'number', default: 1, describe: 'the first seed' })
  .strict()
  .showHelpOnFail(false, SEE_HELP)
  .parse()

const folder = mkdtempSync(join(tmpdir(), 'convoy-coverage-'))
const child = spawn(
  process.execPath,
  [
    join(CHECKOUT, 'node_modules', 'c8', 'bin', 'c8.js'),
    ...['--temp-directory', folder, '--reporter', 'text', '--all'],
    ...['--check-coverage', '--lines', '0', '--branches', String(BRANCHES_MIN)],
    ...INCLUDED.flatMap(files => ['--include', files]),
    ...EXCLUDED.flatMap(files => ['--exclude', files]),
    ...[process.execPath, join(CHECKOUT, 'test', 'simulator', 'simulate.ts')],
    ...['--seeds', String(options.seeds), '--first', String(options.first)]
  ],
  { cwd: CHECKOUT, stdio: 'inherit' }
)
for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => child.kill(name))
const [code] = await once(child, 'exit')
rmSync(folder, { recursive: true, force: true })
process.exitCode = code ?? 1
