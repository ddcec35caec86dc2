/**
 * Which system a command is about: the one at --url, or the one that runs in --folder.
 * Invariant: the token of a system that runs here is sent to no other one.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Run } from '../local/convoy.ts'
import { FOLDER } from '../local/run-file.ts'
import { trust } from '../platform/security/tls.ts'
import type { Where } from './command.ts'
import { loadCommandConfig } from './config.ts'
import { CommandError, EXIT, UsageError } from './outcome.ts'

/** Where an orchestrator listens unless told. */
const USUAL_URL = 'http://127.0.0.1:8090'

export interface Target {
  /** Orchestrators, of which whichever answers is asked. */
  readonly urls: readonly string[]
  readonly token: string | undefined
  /** Null of one that does not run here. */
  readonly run: Run | null
}

export const folderOf = ({ folder }: Pick<Where, 'folder'>): string =>
  folder === undefined ? FOLDER : resolve(folder)

export function targetOf(choice: Where): Target {
  const config = loadCommandConfig()
  const given = config.CONVOY_TOKEN ?? tokenIn(choice.tokenFile)
  trust(config)
  if (choice.url !== undefined) return { urls: [choice.url], token: given, run: null }
  const run = choice.folder === undefined ? runIn(choice) : runningIn(choice)
  if (run?.caFile) trust({ CONVOY_TLS_CA: run.caFile })
  if (run === null) return { urls: [USUAL_URL], token: given, run }
  return { urls: run.orchestrators, token: given ?? tokenIn(run.tokenFile ?? undefined), run }
}

/** Null while none is ready in that folder. */
export function runIn(choice: Pick<Where, 'folder'>): Run | null {
  const file = join(folderOf(choice), 'run.json')
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Run) : null
}

/** @throws CommandError when none runs */
export function runningIn(choice: Pick<Where, 'folder'>): Run {
  const run = runIn(choice)
  if (run !== null) return run
  throw new CommandError(`no Convoy runs in ${folderOf(choice)}`, {
    exitCode: EXIT.unreachable,
    next: 'start one with `convoy up`, or name its folder with --folder'
  })
}

function tokenIn(file: string | undefined): string | undefined {
  if (file === undefined) return undefined
  try {
    return readFileSync(file, 'utf8').trim()
  } catch (cause) {
    throw new UsageError(`cannot read the token in ${file}: ${(cause as Error).message}`)
  }
}
