/**
 * The worker's certificate, where PostgreSQL's account can read it: the files that the
 * settings name are the worker's own, and PostgreSQL refuses a key that others may read.
 */
import { chmod, chown, copyFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type Account, makeFolder } from './account.ts'

/** Of PEM files. */
export interface Paths {
  readonly cert: string
  readonly key: string
}

/** Copies of `files` in the worker's folder `dir`, for `account` alone. */
export async function placedCertificate(
  dir: string,
  { cert, key }: Paths,
  account: Account | undefined
): Promise<Paths> {
  const place = (from: string, name: string) =>
    placed(from, { folder: join(dir, 'tls'), name, account })
  return { cert: await place(cert, 'cert.pem'), key: await place(key, 'key.pem') }
}

/** What a clone believes. */
export const placedCa = (dir: string, ca: string, account: Account | undefined): Promise<string> =>
  placed(ca, { folder: join(dir, 'tls'), name: 'ca.pem', account })

async function placed(
  from: string,
  to: { folder: string; name: string; account: Account | undefined }
): Promise<string> {
  const path = join(to.folder, to.name)
  await makeFolder(to.folder, to.account)
  await rm(path, { force: true })
  await copyFile(from, path)
  await chmod(path, 0o600)
  if (to.account !== undefined) await chown(path, to.account.uid, to.account.gid)
  return path
}
