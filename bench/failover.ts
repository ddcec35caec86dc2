/**
 * `npm run bench:failover`: how long nobody is answered when a worker is killed. Clients
 * write to a running system all the time; every so often the master (or a replica) is
 * killed with -9; at the end every acknowledged write must be there, once.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Agent, request } from 'undici'
import yargs from 'yargs'
import { orchestratorAt } from '../cli/run-file.ts'
import { failed, httpUrl, SEE_HELP, UserError } from '../cli/script.ts'

const PAUSE_MS = 20
const TIMEOUT_MS = 10_000

const options = await yargs(process.argv.slice(2))
  .scriptName('npm run bench:failover --')
  .usage(
    '$0 [options]\n\nKills workers of a running Convoy, and tells how long writes stood still.'
  )
  .option('url', {
    type: 'string',
    coerce: httpUrl,
    describe: 'The orchestrator; by default that of `npm start`'
  })
  .option('kill', { choices: ['master', 'slave'] as const, default: 'master' as const })
  .option('kills', { type: 'number', default: 8 })
  .option('every', { type: 'number', default: 12, describe: 'Seconds between two kills' })
  .option('clients', { type: 'number', default: 16, describe: 'Writing at once' })
  .example('npm run bench:failover -- --kills 20 --clients 64', 'the figures of the README')
  .check(({ kills, every, clients }) => {
    const whole = [kills, every, clients].every(number => Number.isInteger(number) && number > 0)
    return whole || 'kills, every and clients are whole numbers above 0'
  })
  .strict()
  .showHelpOnFail(false, SEE_HELP)
  .parseAsync()

const { url, authorization } = orchestratorAt(options.url)
const dispatcher = new Agent({ connections: options.clients + 4 })
const run = `failover-${Date.now()}`
const answeredAtMs: number[] = []
const errors: string[] = []
let acknowledged = 0
let stopped = false

await write('create table if not exists failover (id text primary key)', []).catch(err =>
  failed(err, url)
)
const clients = Array.from({ length: options.clients }, (_, client) => writeOn(client))
const gapsMs: number[] = []
for (let kill = 1; kill <= options.kills; kill++) {
  await sleep((options.every * 1_000) / 2)
  const killedAtMs = performance.now()
  await post(`/api/v1/crash/${options.kill}`, {})
  await sleep((options.every * 1_000) / 2)
  const gapMs = longestGapMs(killedAtMs)
  gapsMs.push(gapMs)
  console.log(`kill ${kill} of ${options.kills}: no answer for ${gapMs.toFixed(0)} ms`)
}
stopped = true
await Promise.all(clients)
const found = await post('/api/v1/db/read', {
  sql: 'select count(*) from failover where id like $1',
  params: [`${run}-%`],
  consistency: 'strong'
})
const rows = Number((JSON.parse(found.text) as { rows: { count: string }[] }).rows[0]?.count)
gapsMs.sort((a, b) => a - b)
const median = gapsMs[gapsMs.length >> 1] ?? 0
console.log(`gap: median ${median.toFixed(0)} ms, worst ${(gapsMs.at(-1) ?? 0).toFixed(0)} ms`)
console.log(`${acknowledged} writes acknowledged, ${rows} rows, ${errors.length} errors`)
for (const error of errors.slice(0, 3)) console.log(`  ${error}`)
process.exit(errors.length === 0 && rows === acknowledged ? 0 : 1)

async function writeOn(client: number): Promise<void> {
  for (let i = 0; !stopped; i++) {
    try {
      await write('insert into failover values ($1)', [`${run}-${client}-${i}`])
      acknowledged += 1
      answeredAtMs.push(performance.now())
    } catch (error) {
      errors.push(String(error))
    }
    await sleep(PAUSE_MS)
  }
}

async function write(sql: string, params: readonly string[]): Promise<void> {
  const { status, text } = await post('/api/v1/db/write', { statements: [{ sql, params }] })
  if (status !== 200) throw new UserError(`${url} answered ${status}: ${text}`)
}

async function post(path: string, body: object): Promise<{ status: number; text: string }> {
  const { statusCode, body: answer } = await request(`${url}${path}`, {
    ...{ method: 'POST', dispatcher, headersTimeout: TIMEOUT_MS, body: JSON.stringify(body) },
    headers: { 'content-type': 'application/json', ...authorization }
  })
  return { status: statusCode, text: await answer.text() }
}

/** Between two answers, of those around and after the kill. */
function longestGapMs(killedAtMs: number): number {
  const around = answeredAtMs.filter(atMs => atMs > killedAtMs - 100).sort((a, b) => a - b)
  return around.reduce((gap, atMs, i) => Math.max(gap, atMs - (around[i - 1] ?? atMs)), 0)
}
