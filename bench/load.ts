/**
 * `npm run load`: fills a running system through lb with traffic as it might be, and
 * prints rates and latencies. The same seed sends the same.
 */
import { SingleBar } from 'cli-progress'
import { request } from 'undici'
import yargs from 'yargs'
import { hideBin } from 'yargs/helpers'
import { runningSystem } from '../local/run-file.ts'
import { failed, httpUrl, SEE_HELP } from '../local/script.ts'
import { Figures, type Line } from './load/figures.ts'
import { type Kind, type PlanOptions, rideTraffic, signUps } from './load/plan.ts'
import { Traffic } from './load/traffic.ts'

const options = await yargs(hideBin(process.argv))
  .scriptName('npm run load --')
  .usage('$0 [options]\n\nFills a running system with users and rides, through lb.')
  .option('users', { type: 'number', default: 1_000, describe: 'users that sign up' })
  .option('rides', { type: 'number', default: 2_000, describe: 'rides that are offered' })
  .option('at-once', { type: 'number', default: 32, describe: 'requests under way at a time' })
  .option('seed', { type: 'number', default: 1, describe: 'the same seed sends the same traffic' })
  .option('url', {
    type: 'string',
    coerce: httpUrl,
    describe: 'address of lb; that of the system started in this folder unless given'
  })
  .example('$0 --users 10000 --rides 20000', 'a small town')
  .epilogue(
    'Sign-ups are slow on purpose: each costs users-api about 40 ms of one CPU (scrypt),\n' +
      'two at a time, so 10,000 take some four minutes on two cores. To fill a system for a\n' +
      'test, start it with CONVOY_SCRYPT_COST_LOG2=8, which is no protection for passwords.'
  )
  .check(({ users, rides, 'at-once': atOnce }) => {
    const whole = [users, rides, atOnce].every(number => Number.isInteger(number) && number > 0)
    return whole || 'users, rides and at-once are whole numbers above 0'
  })
  .strict()
  .showHelpOnFail(false, SEE_HELP)
  .parse()

const url = options.url ?? runningSystem().addresses.lb
// Traffic counts what is not answered; an address where nobody listens is a mistake.
await request(url).then(
  ({ body }) => body.dump(),
  err => failed(err, url)
)
const plan: PlanOptions = {
  users: options.users,
  rides: options.rides,
  seed: options.seed,
  nowMs: Date.now()
}
const figures = new Figures()
const atOnce = options.atOnce
await using traffic = new Traffic({ url, connections: atOnce, figures })

console.log(`${plan.users} users and ${plan.rides} rides, ${atOnce} requests at once, to ${url}`)
const signUpS = await phase('users', plan.users, 'sign up')
const ridesS = await phase('rides', plan.rides, 'offer')
print(figures.lines(kind => (kind === 'sign up' ? signUpS : signUpS + ridesS)))

/** @returns seconds that it took */
async function phase(name: 'users' | 'rides', total: number, counted: Kind): Promise<number> {
  const bar = new SingleBar({
    format: `${name} {bar} {value}/{total} {rate}/s, {eta_formatted} left`,
    hideCursor: true
  })
  const startedAt = performance.now()
  const seconds = () => (performance.now() - startedAt) / 1_000
  const actions = name === 'users' ? signUps(plan) : rideTraffic(plan)
  bar.start(total, 0, { rate: 0 })
  let done = 0
  const onDone = ({ kind }: { kind: Kind }) => {
    if (kind === counted) bar.update(++done, { rate: Math.round(done / seconds()) })
  }
  await traffic.run(actions, { atOnce, onDone })
  bar.stop()
  return seconds()
}

function print(lines: readonly Line[]): void {
  const ms = (value: number) => Number(value.toFixed(1))
  const rows = lines.map(line => ({
    action: line.kind,
    calls: line.count,
    'per s': Math.round(line.perS),
    'p50 ms': ms(line.p50Ms),
    'p95 ms': ms(line.p95Ms),
    'p99 ms': ms(line.p99Ms),
    'max ms': ms(line.maxMs),
    answers: Object.entries(line.statuses)
      .map(([status, count]) => `${status}: ${count}`)
      .join(', ')
  }))
  console.table(rows)
  const failed = lines.flatMap(({ statuses }) =>
    Object.entries(statuses).filter(([status]) => status === 'none' || Number(status) >= 500)
  )
  const errors = failed.reduce((sum, [, count]) => sum + count, 0)
  console.log(`errors (no answer, or 5xx): ${errors}`)
}
