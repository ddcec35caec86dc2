/**
 * `npm run simulate:mutations`: proves that the simulator can see. Each deliberate fault
 * has to be found, and within 4,000 schedules; how many it took is told.
 */
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import yargs from 'yargs'
import { SEE_HELP } from '../../local/script.ts'
import { MUTATIONS, type Mutation } from './mutations.ts'
import type { Result, Task } from './mutations-worker.ts'

const SEEDS_MAX = 4_000
/** A fault may also make a schedule endless. */
const LIMIT_MS = 120_000

const options = await yargs(process.argv.slice(2))
  .usage('Puts faults into the protocol, one at a time, and has the simulator find them.')
  .option('first', { type: 'number', default: 1, describe: 'the first seed' })
  .option('only', { type: 'string', describe: 'only the faults whose name holds this' })
  .check(({ first }) => (Number.isSafeInteger(first) && first >= 0) || '--first is a whole number')
  .strict()
  .showHelpOnFail(false, SEE_HELP)
  .parse()

const waiting = MUTATIONS.filter(({ name }) => name.includes(options.only ?? ''))
const threads = Math.min(2, availableParallelism())
const beganMs = performance.now()
let missed = 0
await Promise.all(Array.from({ length: threads }, work))
const seconds = ((performance.now() - beganMs) / 1_000).toFixed(0)
console.log(`${missed} not found within ${SEEDS_MAX} schedules (${seconds} s)`)
process.exitCode = missed === 0 ? 0 : 1

async function work(): Promise<void> {
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    const { found, tookMs } = await search(next)
    if (found === null) missed += 1
    const after = found === null ? 'NOT FOUND' : `after ${String(found.seeds).padStart(4)}`
    console.log(`  ${after} (${(tookMs / 1_000).toFixed(1)} s)  ${next.name}`)
    if (found !== null) console.log(`${' '.repeat(22)}${found.what}`)
  }
}

function search(mutation: Mutation): Promise<Result> {
  const { promise, resolve, reject } = Promise.withResolvers<Result>()
  const task: Task = { mutation, first: options.first, seeds: SEEDS_MAX }
  const worker = new Worker(new URL('mutations-worker.ts', import.meta.url), { workerData: task })
  const limit = setTimeout(() => resolve({ found: null, tookMs: LIMIT_MS }), LIMIT_MS)
  worker.once('message', resolve).once('error', reject)
  return promise.finally(() => {
    clearTimeout(limit)
    void worker.terminate()
  })
}
