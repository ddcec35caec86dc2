/**
 * What `npm start` tells scripts about the system that it runs in this checkout.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Of the system that `npm start` runs in this checkout. */
export const FOLDER = fileURLToPath(new URL('../.convoy', import.meta.url))

const RUN_FILE = join(FOLDER, 'run.json')

export interface RunFile {
  readonly addresses: Readonly<Record<'orchestrator' | 'users-api' | 'rides-api' | 'lb', string>>
  /** Holds the bearer token of the orchestrator's guarded calls, if they ask for one. */
  readonly tokenFile: string | null
}

/** Says what to do and ends the script, when none runs. */
export function runningSystem(): RunFile {
  if (!existsSync(RUN_FILE)) {
    console.error('no Convoy runs here: start one with `npm start`, or say --url')
    process.exit(1)
  }
  return JSON.parse(readFileSync(RUN_FILE, 'utf8')) as RunFile
}
