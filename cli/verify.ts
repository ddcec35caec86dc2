/**
 * `npm run verify`: every worker sums its tables at one index of the log, and the
 * sums are compared. Exits 1 when any worker differs.
 */
import { request } from 'undici'
import yargs from 'yargs'
import { type Orchestrator, orchestratorAt } from './run-file.ts'
import { failed, httpUrl, SEE_HELP, UserError } from './script.ts'

const TIMEOUT_MS = 60_000

interface Verified {
  readonly index: number
  readonly tables: readonly { table: string; rows: string; sum: string }[]
  readonly workers: readonly { id: string; pid: number; equal: boolean; differing: string[] }[]
}

const options = await yargs(process.argv.slice(2))
  .scriptName('npm run verify --')
  .usage('$0 [options]\n\nCompares all tables on all workers of a running Convoy, by checksum.')
  .option('url', {
    type: 'string',
    coerce: httpUrl,
    describe: 'The orchestrator; by default that of `npm start`'
  })
  .example('npm run verify', 'the system that `npm start` runs here')
  .example('npm run verify -- --url http://127.0.0.1:8090', 'another one')
  .epilogue('CONVOY_TOKEN is sent, or else the token of the system that runs here.')
  .strict()
  .showHelpOnFail(false, SEE_HELP)
  .parseAsync()

const orchestrator = orchestratorAt(options.url)
const verified = await verify(orchestrator).catch(err => failed(err, orchestrator.url))
for (const { table, rows, sum } of verified.tables) {
  console.log(`${table.padEnd(32)} ${rows.padStart(10)} rows  ${sum}`)
}
console.log(`at index ${verified.index}:`)
for (const { id, pid, equal, differing } of verified.workers) {
  console.log(
    `  worker ${id} (pid ${pid}): ${equal ? 'equal' : `DIFFERS in ${differing.join(', ')}`}`
  )
}
process.exitCode = verified.workers.every(({ equal }) => equal) ? 0 : 1

async function verify({ url, authorization }: Orchestrator): Promise<Verified> {
  const { statusCode, body } = await request(`${url}/api/v1/cluster/verify`, {
    method: 'POST',
    headers: authorization,
    headersTimeout: TIMEOUT_MS
  })
  const text = await body.text()
  if (statusCode !== 200) throw new UserError(`${url} answered ${statusCode}: ${text}`)
  return JSON.parse(text) as Verified
}
