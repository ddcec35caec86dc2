/**
 * The system that `npm start` runs in this checkout. Its processes can be killed and
 * paused; whoever watches them starts them again.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Run } from '../../../local/convoy.ts'
import { FOLDER } from '../../../local/run-file.ts'
import { UserError } from '../../../local/script.ts'
import { Faults } from '../../../testing/cluster/faults.ts'
import type { ClusterNow, Places } from '../../../testing/cluster/victims.ts'
import { keepLogs } from '../../../testing/evidence.ts'
import type { Network } from '../../../testing/faults/network.ts'
import type { FaultName } from '../plan.ts'
import { systemNow, untilWhole } from './asked.ts'
import { strikeProcesses } from './processes.ts'
import type { Doors, Target } from './target.ts'

const RUN_FILE = join(FOLDER, 'run.json')

const UNAVAILABLE: [FaultName, string][] = [
  ['cut', 'its connections pass through no proxy: for that, chaos starts a system of its own'],
  ['slow', 'its connections pass through no proxy: for that, chaos starts a system of its own'],
  ['disk', "its data lies on this machine's own disk, which is not filled"]
]

/** Undefined when none runs here. */
export function runningHere(): Run | undefined {
  if (!existsSync(RUN_FILE)) return undefined
  const run = JSON.parse(readFileSync(RUN_FILE, 'utf8')) as Run
  return existsSync(`/proc/${run.starterPid}`) ? run : undefined
}

/** @throws UserError when it is another user's */
export function runningSystem(run: Run): Target {
  checkOurs(run.starterPid)
  const { addresses, orchestrators, tokenFile, logsDir, workersDir } = run
  const token = tokenFile === null ? undefined : readFileSync(tokenFile, 'utf8').trim()
  const doors: Doors = { lb: addresses.lb, orchestrators, token }
  const faults = new RunningFaults(run, doors)
  return {
    title: `the system that runs in ${FOLDER}`,
    ...{ doors, isOwn: false, unavailable: new Map(UNAVAILABLE) },
    cuts: null,
    strike: (planned, dice) => strikeProcesses(faults, planned, dice),
    whole: (dead, withinMs) => untilWhole(doors, { dead, withinMs }),
    keepLogs: dir => keepLogs({ logs: logsDir, workers: workersDir }, dir),
    // A process that stands still would stay so.
    [Symbol.asyncDispose]: () => faults.heal()
  }
}

class RunningFaults extends Faults {
  readonly folder: Places
  readonly #doors: Doors

  constructor({ workersDir }: Run, doors: Doors) {
    super()
    this.#doors = doors
    this.folder = {
      ...{ root: FOLDER, runFile: RUN_FILE, workers: workersDir },
      ...{ rabbitMq: join(FOLDER, 'rabbitmq'), zooKeeper: join(FOLDER, 'zookeeper') }
    }
  }

  now(): Promise<ClusterNow> {
    return systemNow(this.#doors)
  }

  protected get network(): Network {
    throw new Error('there is no proxy in front of its servers')
  }
}

function checkOurs(starterPid: number): void {
  try {
    process.kill(starterPid, 0)
  } catch (cause) {
    throw new UserError('the system that runs here is of another user: run chaos as that user', {
      cause
    })
  }
}
