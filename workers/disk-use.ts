/**
 * How much disk a worker's folder takes, where its data waits for an operator.
 */
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Logger } from '../platform/log.ts'
import { nowMs } from './clock.ts'
import type { Loop } from './loop.ts'
import { isKept } from './protocol/diverge.ts'

const LOOK_MS = 30_000
const BLOCK_BYTES = 512
const MIB = 1024 * 1024

/** What is allocated: files may come and go meanwhile, and a sparse file takes less than its length. */
export async function diskMiBOf(folder: string): Promise<number> {
  const found = await readdir(folder, { withFileTypes: true, recursive: true })
  let blocks = 0
  for (const entry of found) {
    if (!entry.isFile()) continue
    const { blocks: own = 0 } = await stat(join(entry.parentPath, entry.name)).catch(
      () => ({}) as { blocks?: number }
    )
    blocks += own
  }
  return Math.ceil((blocks * BLOCK_BYTES) / MIB)
}

/** @returns a function that tells the size, as it was at the last look; empty while nothing is kept */
export function keptSize(of: {
  readonly dir: string
  readonly loop: Pick<Loop, 'state'>
  readonly log: Logger
}): () => { readonly diskMiB?: number } {
  let size: { readonly diskMiB?: number } = {}
  let lookedMs = Number.NEGATIVE_INFINITY
  return () => {
    if (!isKept(of.loop.state)) return {}
    if (nowMs() - lookedMs < LOOK_MS) return size
    lookedMs = nowMs()
    diskMiBOf(of.dir).then(
      diskMiB => {
        size = { diskMiB }
      },
      (err: unknown) => of.log.debug({ err }, 'the size of the data could not be told')
    )
    return size
  }
}
