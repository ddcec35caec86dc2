/**
 * Unpacks a backup into a worker's folder: files that only PostgreSQL's account can read.
 * Invariant: nothing that tells PostgreSQL what to run comes from the file. Settings and
 * access rules are left out and made anew, and names that no base backup of a worker has
 * (signal files, tablespaces, replication slots) are refused.
 */
import { chown, mkdir, open, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type BackupHead, MANIFEST_NAME } from '../../wire/backup.ts'
import { type Account, makeFolder } from '../../workers/postgres/account.ts'
import { dataDirOf } from '../../workers/postgres/server.ts'
import { type Archive, readArchive } from './archive.ts'
import { BrokenArchiveError, type Member } from './tar.ts'

export interface UnpackOptions {
  readonly file: string
  /** Of the worker; there is nothing in it. */
  readonly dir: string
  /** Undefined: this process's own. */
  readonly account: Account | undefined
  /** Of the installation that should have made the file. */
  readonly secret: string
  readonly onHead: (head: BackupHead) => void
  readonly onRead: (bytes: number) => void
}

/** Made anew, empty: a worker writes the first two at each start. */
const SETTINGS = ['postgresql.conf', 'pg_hba.conf', 'postgresql.auto.conf', 'pg_ident.conf']
/** Files that a backup holds and a restore does not use: settings, and what an earlier copy left. */
export const LEFT_OUT = [
  ...SETTINGS,
  ...['postmaster.opts', 'backup_label.old', 'tablespace_map.old']
]
const FILES = new Set(['PG_VERSION', 'backup_label', MANIFEST_NAME])
const FOLDERS =
  /^(base|global|pg_(xact|multixact|wal|commit_ts|logical|subtrans|notify|serial|snapshots|stat|stat_tmp|twophase|dynshmem))(\/|$)/
/** Nothing in them is part of a base backup. */
const EMPTY_FOLDERS = new Set(['pg_replslot', 'pg_tblspc'])

/** @throws UserError when the file is no backup, or not whole; what was unpacked is left */
export async function unpack(options: UnpackOptions): Promise<Archive> {
  const { file, dir, account, secret, onHead, onRead } = options
  const data = dataDirOf(dir)
  await makeFolder(dir, account)
  await makeFolder(data, account)
  const onMember = async (member: Member) => {
    if (LEFT_OUT.includes(member.name)) return
    if (!isKnown(member)) {
      throw new BrokenArchiveError(`it holds "${member.name}", which no backup of a worker has`)
    }
    const path = join(data, member.name)
    if (member.kind === 'folder') return makeFolder(path, account)
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    await write(path, { member, account })
  }
  const archive = await readArchive(file, { secret, onRead, onHead, onMember })
  for (const name of SETTINGS) {
    await writeFile(join(data, name), '', { mode: 0o600 })
    if (account !== undefined) await chown(join(data, name), account.uid, account.gid)
  }
  return archive
}

function isKnown({ name, kind, bytes }: Member): boolean {
  // Of a database without tablespaces it is there, and empty.
  if (name === 'tablespace_map') return kind === 'file' && bytes === 0
  if (kind === 'folder' && EMPTY_FOLDERS.has(name)) return true
  return (kind === 'file' && FILES.has(name)) || FOLDERS.test(name)
}

async function write(
  path: string,
  { member, account }: { member: Member; account: Account | undefined }
): Promise<void> {
  await using handle = await open(path, 'wx', 0o600)
  if (account !== undefined) await handle.chown(account.uid, account.gid)
  for await (const part of member.content) await handle.writeFile(part)
}
