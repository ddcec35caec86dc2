/**
 * Keeps what a system has logged, before its folder is removed with it.
 */
import { cpSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Folder } from '../local/folder.ts'

/** Copies the logs of all processes: each worker's in a folder of its name. */
export function keepLogs({ logs, workers }: Pick<Folder, 'logs' | 'workers'>, dir: string): void {
  mkdirSync(dir, { recursive: true })
  cpSync(logs, dir, { recursive: true })
  for (const name of readdirSync(workers)) {
    for (const file of readdirSync(join(workers, name))) {
      if (!file.endsWith('.log')) continue
      cpSync(join(workers, name, file), join(dir, 'workers', name, file))
    }
  }
}
