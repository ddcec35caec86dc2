/**
 * A backup's file: what it says of itself, and everything that is in it. Reading it to
 * the end shows that it is whole: gzip's own checksums, and the list of all files, which
 * PostgreSQL writes last.
 */
import type { Hmac } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { buffer } from 'node:stream/consumers'
import { createGunzip } from 'node:zlib'
import Type from 'typebox'
import Value from 'typebox/value'
import { UserError } from '../../local/script.ts'
import { BACKUP_FORMAT, type BackupHead, HEAD_NAME, MANIFEST_NAME } from '../../wire/backup.ts'
import { beginSeal, isSealedBy, SEAL_BYTES } from '../../wire/backup-seal.ts'
import { BrokenArchiveError, type Member, members } from './tar.ts'

const READ_BYTES = 1024 * 1024
const HEAD_BYTES_MAX = 64 * 1024

const Head = Type.Object({
  format: Type.Integer({ minimum: 1 }),
  clusterId: Type.String({ minLength: 1 }),
  term: Type.Integer({ minimum: 0 }),
  index: Type.Integer({ minimum: 0 }),
  workerId: Type.String({ minLength: 1 }),
  postgres: Type.String({ minLength: 1 }),
  at: Type.String({ minLength: 1 })
})

export interface ArchiveReader {
  /** Told of how many bytes of the file have been read. */
  readonly onRead: (bytes: number) => void
  /** Before all members. */
  readonly onHead?: (head: BackupHead) => void
  /** Each file and folder of the database. */
  readonly onMember?: (member: Member) => Promise<void>
  /** Of the installation that should have made the file. */
  readonly secret?: string
}

export interface Archive {
  /** What the file says of itself. */
  readonly head: BackupHead
  /** Whether an installation with the secret made it, and nobody changed it since. */
  readonly isSealed: boolean
}

/**
 * Reads the whole file.
 * @throws UserError when it is no backup, or not whole
 */
export async function readArchive(file: string, reader: ArchiveReader): Promise<Archive> {
  const packed = createReadStream(file, { highWaterMark: READ_BYTES })
  const tar = createGunzip({ chunkSize: READ_BYTES })
  const seal = reader.secret === undefined ? undefined : new SealReader(reader.secret)
  packed.on('data', chunk => {
    reader.onRead(chunk.length)
    seal?.read(chunk as Buffer)
  })
  packed.on('error', err => tar.destroy(err))
  packed.pipe(tar)
  let head: BackupHead | undefined
  let last = ''
  try {
    for await (const member of members(tar)) {
      if (head === undefined) {
        head = await headIn(member)
        reader.onHead?.(head)
      } else await reader.onMember?.(member)
      last = member.name
    }
  } catch (err) {
    throw inWords(file, err)
  } finally {
    packed.destroy()
  }
  if (head !== undefined && last === MANIFEST_NAME) {
    return { head, isSealed: seal?.isWhole() === true }
  }
  throw new UserError(`${file} is no whole backup: the list of its files is missing`)
}

/** Digests all but the last bytes, which are the seal. */
class SealReader {
  readonly #hmac: Hmac
  #tail = Buffer.alloc(0)

  constructor(secret: string) {
    this.#hmac = beginSeal(secret)
  }

  read(chunk: Buffer): void {
    const bytes = Buffer.concat([this.#tail, chunk])
    const end = Math.max(0, bytes.length - SEAL_BYTES)
    this.#hmac.update(bytes.subarray(0, end))
    this.#tail = Buffer.from(bytes.subarray(end))
  }

  isWhole(): boolean {
    return isSealedBy(this.#hmac, this.#tail)
  }
}

async function headIn({ name, kind, bytes, content }: Member): Promise<BackupHead> {
  if (name !== HEAD_NAME || kind !== 'file' || bytes > HEAD_BYTES_MAX) {
    throw new BrokenArchiveError(`the archive does not begin with ${HEAD_NAME}`)
  }
  const head: unknown = JSON.parse((await buffer(content)).toString())
  if (!Value.Check(Head, head)) throw new BrokenArchiveError(`its ${HEAD_NAME} is no backup's`)
  if (head.format > BACKUP_FORMAT) {
    throw new BrokenArchiveError(`format ${head.format} is that of a newer Convoy`)
  }
  return head
}

/** What zlib, JSON and the file system say of a damaged file, as one kind of failure. */
function inWords(file: string, err: unknown): unknown {
  const { code, message } = err as NodeJS.ErrnoException
  const isBroken =
    err instanceof BrokenArchiveError || err instanceof SyntaxError || /^Z_/.test(code ?? '')
  if (isBroken) return new UserError(`${file} is no whole backup: ${message}`, { cause: err })
  if (code === 'ENOENT' || code === 'EISDIR' || code === 'EACCES') {
    return new UserError(`cannot read ${file}: ${message}`, { cause: err })
  }
  return err
}
