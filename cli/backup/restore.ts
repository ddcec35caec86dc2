/**
 * Makes a new cluster of a backup, in the folder of a system that does not run.
 * Invariants:
 * - What is there is touched only when the new cluster is whole, `/state` included, and
 *   deleted only when the new one is in its place.
 * - The new cluster has an id of its own and its worker another: nothing of the old one
 *   is taken for a part of it.
 */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { hasData, holdFolder } from '../../local/convoy.ts'
import type { Folder } from '../../local/folder.ts'
import type { Software } from '../../local/install/software.ts'
import { endLeftovers } from '../../local/processes/leftovers.ts'
import { Ports } from '../../local/processes/ports.ts'
import { UserError } from '../../local/script.ts'
import { keptSecrets, type Secrets } from '../../local/secrets.ts'
import { startZooKeeper } from '../../local/services.ts'
import { openLog } from '../../platform/log.ts'
import { openZooKeeper } from '../../platform/zookeeper.ts'
import type { BackupHead } from '../../wire/backup.ts'
import { type ClusterState, STATE } from '../../wire/znodes.ts'
import { newWorkerId, openHome } from '../../workers/home.ts'
import { accountFor } from '../../workers/postgres/account.ts'
import { flushWhile } from '../../workers/postgres/flush.ts'
import { dataDirOf, markComplete } from '../../workers/postgres/server.ts'
import { type CopyEnd, checkFiles, recoverCopy } from './copied-database.ts'
import { postgresMajor } from './postgres-version.ts'
import { type Made, takePlace } from './take-place.ts'
import { unpack } from './unpack.ts'

const READY_MS = 60_000
const SESSION_MS = 6_000

export interface RestoreOptions {
  readonly file: string
  readonly folder: Folder
  readonly software: Software
  /** Name of the new cluster, as `convoy up` has it. */
  readonly cluster: string
  readonly postgresUser: string
  /** Throws away what data is there. */
  readonly fresh: boolean
  /** Asked about a file that this installation has not made, or that was changed since. */
  readonly mayTrust: () => Promise<boolean>
  readonly onStep: (step: string, bytesRead?: number) => void
}

export interface Restored {
  readonly head: BackupHead
  readonly end: CopyEnd
  readonly clusterId: string
  readonly workerId: string
}

/** Whether there is anything that a restore would have to throw away. */
export const holdsData = (folder: Folder): boolean =>
  hasData(folder.workers) || existsSync(join(folder.zooKeeper, 'data'))

/**
 * @throws AlreadyRunningError when a system runs in the folder
 * @throws UserError when it has data, or the backup is not sound; nothing is changed then
 */
export async function restoreBackup(options: RestoreOptions): Promise<Restored> {
  const { folder, fresh } = options
  await using _held = await holdFolder(folder)
  if (holdsData(folder) && !fresh) throw new UserError(`${folder.root} has data already`)
  await endLeftovers(folder)
  const home = dirname(folder.workers)
  const dir = join(home, 'restoring')
  await remove(dir)
  mkdirSync(dir)
  chmodSync(dir, 0o711) // As for the folders of the data: its owners pass through.
  const made = { worker: join(dir, 'worker'), zooKeeper: join(dir, 'zookeeper') }
  try {
    const restored = await makeCluster(made, options)
    const replaced = join(home, 'replaced')
    mkdirSync(replaced, { recursive: true, mode: 0o700 })
    takePlace(folder, made, mkdtempSync(join(replaced, 'data-')))
    await remove(replaced)
    return restored
  } finally {
    await remove(dir)
  }
}

const remove = (dir: string) => rm(dir, { recursive: true, force: true, maxRetries: 5 })

interface Copy {
  readonly head: BackupHead
  readonly end: CopyEnd
  readonly secrets: Secrets
}

/** All that it consists of, on disk: a worker, and a ZooKeeper that names it. */
async function makeCluster(made: Made, options: RestoreOptions): Promise<Restored> {
  const { head, end, secrets } = await copyIn(made.worker, options)
  const identity = { workerId: newWorkerId(), clusterId: randomUUID() }
  await (await openHome(made.worker)).settle(identity)
  options.onStep('making the cluster')
  const { clusterId, workerId } = identity
  // The worker elects itself when it starts.
  const state = { clusterId, term: end.knownTerm + 1, master: null, inSync: [workerId] }
  await writeState(state, { dir: made.zooKeeper, secrets, options })
  return { head, end, ...identity }
}

/** A worker's database in `dir`, sound and on disk. */
async function copyIn(dir: string, options: RestoreOptions): Promise<Copy> {
  const { file, folder, software, onStep, postgresUser } = options
  const database = { dir, binDir: software.postgresBin, runAs: postgresUser }
  const major = await postgresMajor(software.postgresBin)
  const secrets = keptSecrets(folder.secretsFile)
  let read = 0
  const unpacking = unpack({
    ...{ file, dir, account: await accountFor(postgresUser), secret: secrets.storeSecret },
    onHead({ postgres }) {
      if (Number.parseInt(postgres, 10) === major) return
      throw new UserError(`${file} is of PostgreSQL ${postgres}, and here is ${major}`)
    },
    onRead(bytes) {
      read += bytes
      onStep('unpacking', read)
    }
  })
  const { head, isSealed } = await flushWhile(dataDirOf(dir), unpacking)
  // From here on PostgreSQL works with what is in the file.
  if (!isSealed && !(await options.mayTrust())) throw new UserError('nothing is changed')
  onStep('checking all files')
  await checkFiles(database)
  onStep('PostgreSQL finishes the copy')
  const end = await recoverCopy(database, { head, secrets })
  await markComplete(dir)
  return { head, end, secrets }
}

interface ZooKeeperMade {
  readonly dir: string
  readonly secrets: Secrets
  readonly options: RestoreOptions
}

/** A new ZooKeeper in `dir` runs for that alone. */
async function writeState(
  state: ClusterState,
  { dir, secrets, options }: ZooKeeperMade
): Promise<void> {
  const { software, cluster } = options
  const folder = { ...options.folder, zooKeeper: dir }
  await using ports = new Ports()
  const { root, logs, pids } = folder
  const around = { logsDir: logs, pidsDir: pids, cwd: root, say: () => undefined }
  const { addresses, process } = await startZooKeeper({
    ...{ cluster, software, folder, secrets, ports, around }
  })
  await using stopped = new AsyncDisposableStack()
  stopped.defer(() => process.stop())
  await process.untilReady(READY_MS)
  await using zookeeper = await openZooKeeper({
    hosts: addresses.CONVOY_ZOOKEEPER,
    auth: addresses.CONVOY_ZOOKEEPER_AUTH,
    cluster,
    sessionTimeoutMs: SESSION_MS,
    log: openLog({ service: 'restore', level: 'silent' })
  })
  assert(await zookeeper.create(STATE, JSON.stringify(state)))
}
