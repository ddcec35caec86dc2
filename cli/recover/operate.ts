/**
 * Shows what each worker has when nobody can be elected, and lets an operator choose with
 * which to go on. Writes nothing until the loss is accepted.
 */
import { join } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { UserError } from '../../local/script.ts'
import { openLog } from '../../platform/log.ts'
import type { ZooKeeper } from '../../platform/zookeeper.ts'
import { type ClusterState, parseNode, STATE, WISHES, type Wishes } from '../../wire/znodes.ts'
import type { Orchestrators } from '../orchestrator.ts'
import { bestOf, chosen, loose, newState, type Situation, situationOf } from './choice.ts'
import { lossText } from './report.ts'
import { type KnownWorker, type Survey, stateOf, survey } from './survey.ts'

const LEADS_WITHIN_MS = 30_000
const POLL_MS = 200

/** To whom it tells what. */
export interface Telling {
  readonly report: (found: Survey, situation: Situation) => void
  readonly say: (line: string) => void
}

export interface RecoverOptions extends Telling {
  /** Of the system, with workers/ of this machine. */
  readonly folder: string
  /** One for each that is known to run: who remembers whom it saw last. */
  readonly orchestrators: readonly Orchestrators[]
  readonly survivor: readonly string[]
  readonly acceptLoss: boolean
}

export async function recover(zookeeper: ZooKeeper, options: RecoverOptions): Promise<void> {
  const { folder, orchestrators, survivor, acceptLoss } = options
  const log = openLog({ service: 'recover', level: 'silent' })
  const sources = { zookeeper, workersDir: join(folder, 'workers'), orchestrators, log }
  const found = await survey(sources)
  const situation = situationOf(found)
  options.report(found, situation)
  const mayChoose = situation.kind === 'inSyncGone' || situation.kind === 'memoryLost'
  if (!mayChoose) {
    if (survivor.length > 0) throw new UserError('nothing is changed')
    return
  }
  const named = chosen(found, survivor)
  const byDefault = situation.kind === 'memoryLost' && named.length === 0
  const survivors = byDefault ? bestOf(found.workers) : named
  if (survivors.length === 0) {
    if (acceptLoss) throw new UserError('say which: --survivor <workerId>')
    return
  }
  refuseLoose(found, survivors)
  if (await isAccepted(found, survivors, options)) {
    options.say(await write(zookeeper, found, newState(found, survivors)))
  }
}

function refuseLoose(found: Survey, survivors: readonly KnownWorker[]): void {
  const [running] = loose(found, survivors)
  if (running === undefined) return
  throw new UserError(
    `${running.id} is in sync and not registered, but its process runs: paused, or cut off from ZooKeeper. It could\n` +
      `acknowledge writes yet. Let it go on, or end it first: kill -9 ${running.place?.pid}`
  )
}

async function isAccepted(
  found: Survey,
  survivors: readonly KnownWorker[],
  { acceptLoss, say }: RecoverOptions
): Promise<boolean> {
  const ids = survivors.map(({ id }) => id).join(', ')
  say(`Chosen: ${ids}`)
  for (const survivor of survivors) say(`  ${survivor.id}: ${lossText(survivor, found)}`)
  if (acceptLoss) return true
  if (!process.stdin.isTTY || !process.stdout.isTTY) {
    say('Nothing is changed: add --accept-loss to go on with this.')
    return false
  }
  using terminal = createInterface({ input: process.stdin, output: process.stdout })
  const answer = await terminal.question(`Go on with ${ids}, and give up what it lacks? (yes) `)
  return answer.trim() === 'yes'
}

/** @returns what it has come to */
async function write(zookeeper: ZooKeeper, found: Survey, state: ClusterState): Promise<string> {
  const data = JSON.stringify(state)
  const { node } = found
  // First: a survivor that is started again reads what is wished before it reads `/state`.
  await withdrawVerdicts(zookeeper, state.inSync)
  const done =
    node === null
      ? await zookeeper.create(STATE, data)
      : (await zookeeper.write(STATE, data, node.version)) !== undefined
  if (!done) throw new UserError('/state has changed meanwhile: nothing is written; look again')
  const written = `Written: term ${state.term}, in sync: ${state.inSync.join(', ')}`
  const untilMs = performance.now() + LEADS_WITHIN_MS
  while (performance.now() < untilMs) {
    const now = await stateOf(zookeeper)
    if (now?.state.master) {
      const { master, term } = now.state
      return `${written}\n${master} leads in term ${term}. Writes go on when enough workers have copied it.`
    }
    await sleep(POLL_MS)
  }
  throw new UserError(
    'nobody leads yet: does a survivor run, and reach RabbitMQ? Its worker.log says'
  )
}

/** What a verification found wrong is what the cluster goes on with. A verdict on another worker stays. */
async function withdrawVerdicts(zookeeper: ZooKeeper, chosen: readonly string[]): Promise<void> {
  for (;;) {
    const node = await zookeeper.read(WISHES)
    const wishes = node && parseNode<Wishes>(node.data)
    if (node === undefined || !wishes || !chosen.some(id => wishes.wrong?.[id] !== undefined))
      return
    const left = Object.entries(wishes.wrong ?? {}).filter(([id]) => !chosen.includes(id))
    const data = JSON.stringify({ ...wishes, wrong: Object.fromEntries(left) })
    if ((await zookeeper.write(WISHES, data, node.version)) !== undefined) return
  }
}

/** @returns what it has come to */
export async function forget(zookeeper: ZooKeeper): Promise<string> {
  const node = await stateOf(zookeeper)
  if (!node?.state.keepDiverged) {
    return 'No worker is told to keep anything.'
  }
  const { keepDiverged: _forgotten, ...state } = node.state
  const written = await zookeeper.write(STATE, JSON.stringify(state), node.version)
  if (written === undefined) throw new UserError('/state has changed meanwhile: try again')
  return 'Forgotten: workers with entries that the cluster lacks begin again as new ones.'
}
