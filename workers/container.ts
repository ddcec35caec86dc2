/**
 * A worker in a container sees neither the container nor the pid by which others know
 * it: whoever started it puts both into the worker's folder, beside the name of the life
 * that is meant, for the file of an earlier one may still lie there.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseNode } from '../wire/znodes.ts'

export const CONTAINER_FILE = 'container.json'
const TOLD_WITHIN_MS = 30_000
const POLL_MS = 20

export interface InContainer {
  readonly life: string
  readonly container: string
  /** On the machine, not in the container. */
  readonly pid: number
}

/** How others know this worker's process. */
export interface Outside {
  readonly pid: number
  readonly container: string | null
}

/**
 * @param life as the container's settings name it; undefined outside of containers
 * @throws Error when nobody has told in time: what then died would not be known for this worker
 */
export async function seenFromOutside(dir: string, life: string | undefined): Promise<Outside> {
  if (life === undefined) return { pid: process.pid, container: null }
  const untilMs = performance.now() + TOLD_WITHIN_MS
  while (performance.now() < untilMs) {
    const told = await readTold(join(dir, CONTAINER_FILE))
    if (told?.life === life) return { pid: told.pid, container: told.container }
    await sleep(POLL_MS)
  }
  throw new Error(`nobody has told this container its pid within ${TOLD_WITHIN_MS} ms`)
}

async function readTold(file: string): Promise<InContainer | null> {
  try {
    return parseNode<InContainer>(await readFile(file, 'utf8'))
  } catch {
    return null // Not there yet.
  }
}
