/**
 * One folder for all that a run of tests writes, named by the pid of the run. What a
 * run left that was killed is removed by the next one.
 */
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'

const OF_A_RUN = /^convoy-(\d+)$/

/** Makes it, and the temporary folder of all that is started from here on. */
export function openScratch(): string {
  for (const name of readdirSync('/tmp')) {
    const [, pid] = OF_A_RUN.exec(name) ?? []
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) removeScratch(join('/tmp', name))
  }
  const scratch = join('/tmp', `convoy-${process.pid}`)
  mkdirSync(scratch, { mode: 0o711 })
  process.env['TMPDIR'] = scratch
  return scratch
}

export function removeScratch(scratch: string): void {
  rmSync(scratch, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 })
}
