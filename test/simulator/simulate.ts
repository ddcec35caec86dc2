/**
 * `npm run simulate`: runs bad days of a simulated cluster, one per seed, on the
 * functions that production runs. A failing seed is printed with the end of its trace.
 */
import yargs from 'yargs'
import { SEE_HELP } from '../../cli/script.ts'
import { Cluster } from './cluster.ts'

const TRACE_LINES = 60

const options = await yargs(process.argv.slice(2))
  .usage('Runs seeded bad days of a simulated cluster.\n\nnpm run simulate -- --seeds 1000')
  .option('seeds', {
    type: 'number',
    requiresArg: true,
    default: 200,
    describe: 'how many days to run'
  })
  .option('first', { type: 'number', describe: 'the first seed; a random one by default' })
  .option('seed', { type: 'number', describe: 'replay one day, with its trace' })
  .check(({ seeds, first, seed }) => {
    const isSeed = (number = 0) => Number.isSafeInteger(number) && number >= 0
    if (!Number.isSafeInteger(seeds) || seeds < 1) return '--seeds is a whole number above 0'
    return (isSeed(first) && isSeed(seed)) || '--first and --seed are whole numbers from 0'
  })
  .strict()
  .showHelpOnFail(false, SEE_HELP)
  .parse()

const first = options.seed ?? options.first ?? Math.floor(Math.random() * 1e9)
const count = options.seed === undefined ? options.seeds : 1
const began = performance.now()
let failed = 0
for (let seed = first; seed < first + count; seed++) {
  const cluster = new Cluster(seed, 3 + (seed % 3))
  try {
    cluster.run()
  } catch (error) {
    failed += 1
    console.log(cluster.world.trace.slice(-TRACE_LINES).join('\n'))
    console.log(`seed ${seed} failed at ${cluster.world.nowMs.toFixed(1)} ms:`, error)
    console.log(`replay it with: npm run simulate -- --seed ${seed}`)
    if (failed >= 3) break
  }
  if (options.seed !== undefined) console.log(cluster.world.trace.join('\n'))
}
const rate = (count / ((performance.now() - began) / 1_000)).toFixed(0)
console.log(`${count - failed} passed, ${failed} failed (${rate} days/s, from seed ${first})`)
process.exitCode = failed === 0 ? 0 : 1
