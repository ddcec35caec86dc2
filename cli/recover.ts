/**
 * `npm run recover`: shows what each worker has when nobody can be elected, and lets an
 * operator choose with which to go on. Writes nothing until the loss is accepted.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import yargs from 'yargs'
import { openLog } from '../platform/log.ts'
import { type ClusterState, STATE } from '../platform/wire/znodes.ts'
import { openZooKeeper, type ZooKeeper } from '../platform/zookeeper.ts'
import { convoySettings, loadClusterConfig } from './config.ts'
import { bestOf, chosen, loose, newState, situationOf } from './recover/choice.ts'
import { lossText, reportOf } from './recover/report.ts'
import { type KnownWorker, type Survey, stateOf, survey } from './recover/survey.ts'
import { failed, SEE_HELP, UserError } from './script.ts'

const FOLDER = fileURLToPath(new URL('../.convoy', import.meta.url))
const REACHED_WITHIN_MS = 10_000
const LEADS_WITHIN_MS = 30_000
const POLL_MS = 200
const SESSION_MS = 6_000

const options = await yargs(process.argv.slice(2))
  .scriptName('npm run recover --')
  .usage(
    '$0 [options]\n\nFor when nobody can be elected: shows what each worker has, and what is known to be lost by ' +
      'each choice. Alone it changes nothing. Needed when every in-sync worker is lost, or when ZooKeeper has ' +
      'lost its memory; /readyz and /cluster of the orchestrator say so.'
  )
  .option('survivor', {
    type: 'string',
    array: true,
    default: [],
    describe:
      'The worker to go on with (its id, or the beginning of it). Several, if they hold the same. After ' +
      'a loss of memory: by default those with the highest (term, index)'
  })
  .option('accept-loss', {
    type: 'boolean',
    default: false,
    describe:
      'Yes, entries that the survivor lacks are given up. Asked for at a terminal, if left out'
  })
  .option('forget', {
    type: 'boolean',
    default: false,
    describe:
      'Let go of the data that workers keep since a recovery, because the survivor lacked it'
  })
  .option('folder', {
    type: 'string',
    default: FOLDER,
    defaultDescription: '.convoy',
    describe: "The system's folder: with settings.json, and workers/ of this machine"
  })
  .check(({ forget, survivor, 'accept-loss': accepted }) => {
    return !forget || (survivor.length === 0 && !accepted) || '--forget goes alone'
  })
  .example('$0', 'show, and change nothing')
  .example('$0 --survivor 3f2a --accept-loss', 'go on with that worker')
  .example('$0 --accept-loss', 'after a loss of memory: go on with the best')
  .example('$0 --forget', 'when nobody wants the rest any more')
  .epilogue(
    'What it writes: /state in ZooKeeper, with a term above all others, and the survivors as in-sync set. They ' +
      'elect one of themselves, others follow, new ones are started. Workers that return with entries that are not in ' +
      'the new history keep their data, out of service, until --forget. More: docs/guarantees.md, docs/operations.md.\n' +
      'CONVOY_ZOOKEEPER, CONVOY_ZOOKEEPER_AUTH and CONVOY_CLUSTER win over settings.json.'
  )
  .strict()
  .showHelpOnFail(false, SEE_HELP)
  .parseAsync()

try {
  await recover(resolve(options.folder))
  process.exit(0)
} catch (err) {
  failed(err)
}

async function recover(folder: string): Promise<void> {
  const log = openLog({ service: 'recover', level: 'silent' })
  const zookeeper = await reach(folder, log)
  if (options.forget) return forget(zookeeper)
  const orchestratorUrl = urlIn(folder)
  const sources = { zookeeper, workersDir: join(folder, 'workers'), orchestratorUrl, log }
  const found = await survey(sources)
  const situation = situationOf(found)
  console.log(reportOf(found, situation, 'Nothing is changed without --accept-loss.'))
  const mayChoose = situation.kind === 'inSyncGone' || situation.kind === 'memoryLost'
  if (!mayChoose) {
    if (options.survivor.length > 0) throw new UserError('nothing is changed')
    return
  }
  const named = chosen(found, options.survivor)
  const byDefault = situation.kind === 'memoryLost' && named.length === 0
  const survivors = byDefault ? bestOf(found.workers) : named
  if (survivors.length === 0) {
    if (options['accept-loss']) throw new UserError('say which: --survivor <workerId>')
    return
  }
  refuseLoose(found, survivors)
  if (await isAccepted(found, survivors)) await write(zookeeper, found, newState(found, survivors))
}

async function reach(folder: string, log: ReturnType<typeof openLog>): Promise<ZooKeeper> {
  const file = join(folder, 'settings.json')
  if (!existsSync(file) && convoySettings()['CONVOY_ZOOKEEPER'] === undefined) {
    throw new UserError('no Convoy was started here: start one with `npm start`, or say --folder')
  }
  const config = loadClusterConfig(existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {})
  const hosts = config.CONVOY_ZOOKEEPER
  const opening = openZooKeeper({
    hosts,
    auth: config.CONVOY_ZOOKEEPER_AUTH,
    cluster: config.CONVOY_CLUSTER,
    sessionTimeoutMs: SESSION_MS,
    log
  })
  const zookeeper = await Promise.race([opening, sleep(REACHED_WITHIN_MS)])
  if (zookeeper) return zookeeper
  throw new UserError(`ZooKeeper at ${hosts} does not answer: does the system run?`)
}

/** There only while the system is ready: what it tells is of help, and not needed. */
function urlIn(folder: string): string | null {
  const file = join(folder, 'run.json')
  if (!existsSync(file)) return null
  return (JSON.parse(readFileSync(file, 'utf8')) as { addresses: { orchestrator: string } })
    .addresses.orchestrator
}

function refuseLoose(found: Survey, survivors: readonly KnownWorker[]): void {
  const [running] = loose(found, survivors)
  if (running === undefined) return
  throw new UserError(
    `${running.id} is in sync and not registered, but its process runs: paused, or cut off from ZooKeeper. It could\n` +
      `acknowledge writes yet. Let it go on, or end it first: kill -9 ${running.place?.pid}`
  )
}

async function isAccepted(found: Survey, survivors: readonly KnownWorker[]): Promise<boolean> {
  const ids = survivors.map(({ id }) => id).join(', ')
  console.log(`Chosen: ${ids}`)
  for (const survivor of survivors) console.log(`  ${survivor.id}: ${lossText(survivor, found)}`)
  if (options['accept-loss']) return true
  if (!process.stdin.isTTY || !process.stdout.isTTY) {
    console.log('Nothing is changed: add --accept-loss to go on with this.')
    return false
  }
  using terminal = createInterface({ input: process.stdin, output: process.stdout })
  const answer = await terminal.question(`Go on with ${ids}, and give up what it lacks? (yes) `)
  return answer.trim() === 'yes'
}

async function write(zookeeper: ZooKeeper, found: Survey, state: ClusterState): Promise<void> {
  const data = JSON.stringify(state)
  const { node } = found
  const done =
    node === null
      ? await zookeeper.create(STATE, data)
      : (await zookeeper.write(STATE, data, node.version)) !== undefined
  if (!done) throw new UserError('/state has changed meanwhile: nothing is written; look again')
  console.log(`Written: term ${state.term}, in sync: ${state.inSync.join(', ')}`)
  const untilMs = performance.now() + LEADS_WITHIN_MS
  while (performance.now() < untilMs) {
    const now = await stateOf(zookeeper)
    if (now?.state.master) {
      console.log(
        `${now.state.master} leads in term ${now.state.term}. Writes go on when enough workers have copied it.`
      )
      return
    }
    await sleep(POLL_MS)
  }
  throw new UserError(
    'nobody leads yet: does a survivor run, and reach RabbitMQ? Its worker.log says'
  )
}

async function forget(zookeeper: ZooKeeper): Promise<void> {
  const node = await stateOf(zookeeper)
  if (node?.state.keepDiverged !== true) {
    console.log('No worker is told to keep anything.')
    return
  }
  const { keepDiverged: _forgotten, ...state } = node.state
  const written = await zookeeper.write(STATE, JSON.stringify(state), node.version)
  if (written === undefined) throw new UserError('/state has changed meanwhile: try again')
  console.log('Forgotten: workers with entries that the cluster lacks begin again as new ones.')
}
