/**
 * What `npm start` tells scripts about the system that it runs in this checkout.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { loadStarterConfig } from './config.ts'

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

export interface Orchestrator {
  readonly url: string
  /** To be sent with guarded calls. */
  readonly authorization: { readonly authorization?: string }
}

/** The one at `url`, or the running system's; CONVOY_TOKEN wins over that system's token. */
export function orchestratorAt(url: string | undefined): Orchestrator {
  const given = loadStarterConfig().CONVOY_TOKEN
  if (url !== undefined) return { url, authorization: bearer(given) }
  const { addresses, tokenFile } = runningSystem()
  // Another system's token is none of the business of a --url.
  const own = tokenFile === null ? undefined : readFileSync(tokenFile, 'utf8').trim()
  return { url: addresses.orchestrator, authorization: bearer(given ?? own) }
}

const bearer = (token: string | undefined) =>
  token === undefined ? {} : { authorization: `Bearer ${token}` }
