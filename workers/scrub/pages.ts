/**
 * Reads every page of every relation in a data folder while PostgreSQL runs, at a bounded rate,
 * and tells which are damaged.
 *
 * A page may be read while PostgreSQL writes it. So one that looks damaged is read again, with
 * pauses that are longer than any write; it counts only when it never looks right. Files may
 * vanish or shrink meanwhile.
 */
import { constants } from 'node:fs'
import { type FileHandle, open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { isDamaged, PAGE_BYTES } from './page.ts'

const READ_PAGES = 16
/** Of one file of a relation. */
const SEGMENT_PAGES = 131_072
/** Temporary tables, and files that are no relations, have other names. */
const RELATION = /^\d+(?:_(?:fsm|vm|init))?(?:\.(\d+))?$/
const LOOKS = 4
const LOOK_AGAIN_MS = 300

export interface PagePiece {
  readonly pages: number
  /** Such as `page 7 of base/5/16404`. */
  readonly damaged: readonly string[]
}

/** @param bytesPerS that are read at most */
export async function* readPages(dataDir: string, bytesPerS: number): AsyncGenerator<PagePiece> {
  for (const path of await relationFiles(dataDir)) {
    // Gone: its table was dropped, or written anew.
    const file = await open(join(dataDir, path), constants.O_RDONLY).catch(() => null)
    if (file === null) continue
    try {
      yield* readFile(file, path, bytesPerS)
    } finally {
      await file.close()
    }
  }
}

/** How many pages a pass has, about. */
export async function pagesIn(dataDir: string): Promise<number> {
  let pages = 0
  for (const path of await relationFiles(dataDir)) {
    await using file = await open(join(dataDir, path)).catch(() => null)
    pages += Math.floor(((await file?.stat())?.size ?? 0) / PAGE_BYTES)
  }
  return pages
}

async function relationFiles(dataDir: string): Promise<string[]> {
  const databases = (await readdir(join(dataDir, 'base'))).map(name => join('base', name))
  const paths: string[] = []
  for (const folder of ['global', ...databases]) {
    const names = await readdir(join(dataDir, folder)).catch(() => [])
    paths.push(...names.filter(name => RELATION.test(name)).map(name => join(folder, name)))
  }
  return paths
}

async function* readFile(
  file: FileHandle,
  path: string,
  bytesPerS: number
): AsyncGenerator<PagePiece> {
  const segment = Number(/\.(\d+)$/.exec(path)?.[1] ?? 0)
  const buffer = Buffer.alloc(READ_PAGES * PAGE_BYTES)
  for (let at = 0; ; at += READ_PAGES) {
    const beganMs = performance.now()
    const { bytesRead } = await file.read(buffer, 0, buffer.length, at * PAGE_BYTES)
    const pages = Math.floor(bytesRead / PAGE_BYTES)
    if (pages === 0) return
    const damaged: string[] = []
    for (let i = 0; i < pages; i++) {
      const block = segment * SEGMENT_PAGES + at + i
      const page = buffer.subarray(i * PAGE_BYTES, (i + 1) * PAGE_BYTES)
      if (isDamaged(page, block) && (await staysDamaged(file, { page: at + i, block }))) {
        damaged.push(`page ${block} of ${path}`)
      }
    }
    yield { pages, damaged }
    const dueMs = (1_000 * bytesRead) / bytesPerS
    await sleep(Math.max(0, dueMs - (performance.now() - beganMs)))
  }
}

async function staysDamaged(
  file: FileHandle,
  { page, block }: { page: number; block: number }
): Promise<boolean> {
  const buffer = Buffer.alloc(PAGE_BYTES)
  for (let look = 1; look < LOOKS; look++) {
    await sleep(LOOK_AGAIN_MS)
    const { bytesRead } = await file.read(buffer, 0, PAGE_BYTES, page * PAGE_BYTES)
    if (bytesRead < PAGE_BYTES || !isDamaged(buffer, block)) return false
  }
  // Of a table that was dropped nothing is missed.
  return (await file.stat()).nlink > 0
}
