/**
 * Makes a new cluster of a backup, in the folder of a system that does not run.
 * Invariants:
 * - What is there is touched only when the backup has proved sound.
 * - The new cluster has an id of its own and its worker another: nothing of the old one
 *   is taken for a part of it.
 * - `/state` is written last. Where that fails, the worker waits for `convoy recover`.
 */
import { randomBytes, randomUUID } from 'node:crypto'
import { existsSync, readdirSync } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { openLog } from '../../platform/log.ts'
import type { BackupHead } from '../../platform/wire/backup.ts'
import { type ClusterState, STATE } from '../../platform/wire/znodes.ts'
import { openZooKeeper } from '../../platform/zookeeper.ts'
import { newWorkerId, openHome } from '../../workers/home.ts'
import { accountFor } from '../../workers/postgres/account.ts'
import { flushWhile } from '../../workers/postgres/flush.ts'
import { dataDirOf, markComplete } from '../../workers/postgres/server.ts'
import type { Software } from '../machine/software.ts'
import { endLeftovers } from '../processes/leftovers.ts'
import { Ports } from '../processes/ports.ts'
import { UserError } from '../script.ts'
import { hasData, holdFolder } from '../system/convoy.ts'
import type { Folder } from '../system/folder.ts'
import { keptSecrets, type Secrets } from '../system/secrets.ts'
import { startZooKeeper } from '../system/services.ts'
import { type CopyEnd, checkFiles, recoverCopy } from './copied-database.ts'
import { postgresMajor } from './postgres-version.ts'
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
  const dir = join(dirname(folder.workers), 'restoring')
  await rm(dir, { recursive: true, force: true })
  try {
    return await settle(await copyIn(dir, options), options)
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

interface Copy {
  readonly dir: string
  readonly head: BackupHead
  readonly end: CopyEnd
  readonly secrets: Secrets
}

/** A worker's database in `dir`, sound and on disk. */
async function copyIn(dir: string, options: RestoreOptions): Promise<Copy> {
  const { file, folder, software, onStep, postgresUser } = options
  const database = { dir, binDir: software.postgresBin, runAs: postgresUser }
  const major = await postgresMajor(software.postgresBin)
  let read = 0
  const unpacking = unpack({
    ...{ file, dir, account: await accountFor(postgresUser) },
    onHead({ postgres }) {
      if (Number.parseInt(postgres, 10) === major) return
      throw new UserError(`${file} is of PostgreSQL ${postgres}, and here is ${major}`)
    },
    onRead(bytes) {
      read += bytes
      onStep('unpacking', read)
    }
  })
  const head = await flushWhile(dataDirOf(dir), unpacking)
  onStep('checking all files')
  await checkFiles(database)
  onStep('PostgreSQL finishes the copy')
  const secrets = keptSecrets(folder.secretsFile)
  const end = await recoverCopy(database, { head, secrets })
  await markComplete(dir)
  return { dir, head, end, secrets }
}

/** Makes the copy the first worker of a new cluster, which elects it when it starts. */
async function settle(copy: Copy, options: RestoreOptions): Promise<Restored> {
  const { folder, onStep } = options
  const { dir, head, end } = copy
  const identity = { workerId: newWorkerId(), clusterId: randomUUID() }
  await (await openHome(dir)).settle(identity)
  for (const data of [folder.workers, folder.zooKeeper, folder.rabbitMq]) await empty(data)
  await rename(dir, join(folder.workers, randomBytes(4).toString('hex')))
  onStep('making the cluster')
  const { clusterId, workerId } = identity
  const term = end.knownTerm + 1
  await writeState({ clusterId, term, master: null, inSync: [workerId] }, { copy, options })
  return { head, end, ...identity }
}

async function empty(dir: string): Promise<void> {
  for (const name of readdirSync(dir)) {
    await rm(join(dir, name), { recursive: true, force: true, maxRetries: 5 })
  }
}

/** ZooKeeper runs for that alone. */
async function writeState(
  state: ClusterState,
  { copy, options }: { readonly copy: Copy; readonly options: RestoreOptions }
): Promise<void> {
  const { folder, software, cluster } = options
  await using ports = new Ports()
  const { root, logs, pids } = folder
  const around = { logsDir: logs, pidsDir: pids, cwd: root, say: () => undefined }
  const { addresses, process } = await startZooKeeper({
    ...{ cluster, software, folder, ports, around },
    secrets: copy.secrets
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
  if (await zookeeper.create(STATE, JSON.stringify(state))) return
  throw new UserError('ZooKeeper knows a cluster of this name already: is it told CONVOY_CLUSTER?')
}
