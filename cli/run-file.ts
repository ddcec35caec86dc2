/**
 * What `npm start` tells scripts about the system that it runs in this checkout.
 */
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const RUN_FILE = fileURLToPath(new URL('../.convoy/run.json', import.meta.url))

export interface RunFile {
  readonly addresses: Readonly<Record<'orchestrator' | 'users-api' | 'rides-api' | 'lb', string>>
}

/** Says what to do and ends the script, when none runs. */
export function runningSystem(): RunFile {
  if (!existsSync(RUN_FILE)) {
    console.error('no Convoy runs here: start one with `npm start`, or say --url')
    process.exit(1)
  }
  return JSON.parse(readFileSync(RUN_FILE, 'utf8')) as RunFile
}
