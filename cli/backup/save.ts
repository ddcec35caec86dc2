/**
 * Writes a backup that comes as a stream into a file.
 * Invariant: FILE is there only when it is whole and on disk; until then, and never after a
 * failure, there is FILE.partial.
 */
import { open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { BackupHead } from '../../wire/backup.ts'
import { readArchive } from './archive.ts'

export interface SaveOptions {
  readonly file: string
  readonly archive: AsyncIterable<Uint8Array>
  /** Told of how much has come, and then of how much of it has been checked. */
  readonly onBytes: (what: 'taking' | 'checking', bytes: number) => void
}

export interface Saved extends BackupHead {
  readonly bytes: number
}

/** @throws whatever broke the stream off, or UserError when what has come is not whole */
export async function saveBackup({ file, archive, onBytes }: SaveOptions): Promise<Saved> {
  const partial = `${file}.partial`
  try {
    const bytes = await write(partial, archive, taken => onBytes('taking', taken))
    let checked = 0
    const onRead = (read: number) => {
      checked += read
      onBytes('checking', checked)
    }
    const { head } = await readArchive(partial, { onRead })
    await rename(partial, file)
    await syncFolder(dirname(file))
    return { ...head, bytes }
  } catch (err) {
    await rm(partial, { force: true })
    throw err
  }
}

async function write(
  partial: string,
  archive: SaveOptions['archive'],
  onBytes: (bytes: number) => void
): Promise<number> {
  await rm(partial, { force: true }) // The mode below is that of a new file only.
  await using handle = await open(partial, 'wx', 0o600)
  let bytes = 0
  for await (const chunk of archive) {
    await handle.writeFile(chunk)
    bytes += chunk.length
    onBytes(bytes)
  }
  await handle.sync()
  return bytes
}

async function syncFolder(dir: string): Promise<void> {
  await using handle = await open(dir)
  await handle.sync()
}
