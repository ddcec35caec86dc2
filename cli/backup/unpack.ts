/**
 * Unpacks a backup into a worker's folder: files that only PostgreSQL's account can read.
 */
import { mkdir, open } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { BackupHead } from '../../platform/wire/backup.ts'
import { type Account, makeFolder } from '../../workers/postgres/account.ts'
import { dataDirOf } from '../../workers/postgres/server.ts'
import { readArchive } from './archive.ts'
import type { Member } from './tar.ts'

export interface UnpackOptions {
  readonly file: string
  /** Of the worker; there is nothing in it. */
  readonly dir: string
  /** Undefined: this process's own. */
  readonly account: Account | undefined
  readonly onHead: (head: BackupHead) => void
  readonly onRead: (bytes: number) => void
}

/** @throws UserError when the file is no backup, or not whole; what was unpacked is left */
export async function unpack(options: UnpackOptions): Promise<BackupHead> {
  const { file, dir, account, onHead, onRead } = options
  const data = dataDirOf(dir)
  await makeFolder(dir, account)
  await makeFolder(data, account)
  const onMember = async (member: Member) => {
    const path = join(data, member.name)
    if (member.kind === 'folder') return makeFolder(path, account)
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    await write(path, { member, account })
  }
  return readArchive(file, { onRead, onHead, onMember })
}

async function write(
  path: string,
  { member, account }: { member: Member; account: Account | undefined }
): Promise<void> {
  await using handle = await open(path, 'wx', 0o600)
  if (account !== undefined) await handle.chown(account.uid, account.gid)
  for await (const part of member.content) await handle.writeFile(part)
}
