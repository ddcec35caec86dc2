/**
 * Watches over the worker's own database, and tells the protocol when it cannot commit:
 * it does not answer, its disk hangs, or its disk is full. Ends the worker when its data
 * is gone: PostgreSQL would go on for a minute, on files that nobody will find again.
 */
import { statfs } from 'node:fs/promises'
import { nowMs } from './clock.ts'
import type { Loop } from './loop.ts'
import { dataDirOf, hasDatabase } from './postgres/server.ts'
import { FULL } from './protocol/step.ts'
import { type Store, StoreLostError } from './store.ts'

const LOOK_MS = 250
/** One more file of its write-ahead log. */
const ROOM_BYTES = 16 * 1024 * 1024
/** What needs more room than there is would be tried all the time. */
const FULL_FOR_MS = 5_000

export interface HealthOptions {
  readonly store: Pick<Store, 'checksumAt' | 'overdueMs'>
  /** The worker's folder. */
  readonly dir: string
  readonly loop: Pick<Loop, 'state' | 'dispatch' | 'fail'>
  /** What may take so long at most; statements have timeouts of their own. */
  readonly stallMs: number
}

export function watchHealth({ store, dir, loop, stallMs }: HealthOptions): Disposable {
  const fail = (err: unknown) => loop.fail(err)
  const answer = owed(async () => void (await store.checksumAt(0)), fail)
  let hasRoom = false
  const disk = owed(async () => {
    if (!(await hasDatabase(dir))) throw new StoreLostError('the data folder is gone')
    hasRoom = loop.state.postgresTrouble === FULL && (await isRoomIn(dataDirOf(dir)))
  }, fail)
  let fullSinceMs: number | null = null
  let looks = 0
  const timer = setInterval(() => {
    const trouble = troubleOf({ silentMs: answer(), overdueMs: store.overdueMs(), stallMs })
    disk()
    // After a pause of this process everything seems to have taken long: look again.
    looks = trouble === null ? 0 : looks + 1
    const { postgres, postgresTrouble } = loop.state
    fullSinceMs = postgresTrouble === FULL ? (fullSinceMs ?? nowMs()) : null
    const isFull = fullSinceMs !== null && (!hasRoom || nowMs() - fullSinceMs < FULL_FOR_MS)
    if (looks > 1 && trouble !== null && postgresTrouble !== trouble) {
      loop.dispatch({ kind: 'postgres', answers: false, trouble })
    } else if (!postgres && trouble === null && !isFull) {
      loop.dispatch({ kind: 'postgres', answers: true })
    }
  }, LOOK_MS)
  return { [Symbol.dispose]: () => clearInterval(timer) }
}

function troubleOf(of: { silentMs: number; overdueMs: number; stallMs: number }): string | null {
  if (of.silentMs > of.stallMs) return 'its PostgreSQL does not answer'
  return of.overdueMs > of.stallMs ? 'its disk hangs: a commit does not return' : null
}

async function isRoomIn(dir: string): Promise<boolean> {
  const { bavail, bsize } = await statfs(dir)
  return bavail * bsize >= ROOM_BYTES
}

/** Asks, one question at a time. @returns for how long the last one has been open */
function owed(ask: () => Promise<void>, failed: (err: unknown) => void): () => number {
  let sinceMs: number | null = null
  return () => {
    if (sinceMs !== null) return nowMs() - sinceMs
    sinceMs = nowMs()
    const answered = () => {
      sinceMs = null
    }
    ask().then(answered, failed)
    return 0
  }
}
