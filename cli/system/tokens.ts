/**
 * Who is given which token when a system is started: the orchestrators all of them, the
 * services one that may write, scripts on this machine one that may everything. Where
 * tokens are given out by role, what nobody chose is made up, anew at each start.
 */
import { randomBytes } from 'node:crypto'
import { resolve } from 'node:path'
import { OF_TOKENS } from '../../platform/security/config.ts'

type Settings = Readonly<Record<string, string>>

const TOKEN_BYTES = 24

export interface Shared {
  readonly orchestrator: Settings
  readonly service: Settings
  /** For scripts, beside `run.json`. */
  readonly operator: string | undefined
  /** What has nothing to do with tokens. */
  readonly rest: Settings
}

export function shareTokens(settings: Settings): Shared {
  const entries = Object.entries(settings)
  const rest = Object.fromEntries(entries.filter(([name]) => !OF_TOKENS.has(name)))
  const given: Settings = Object.fromEntries(entries.filter(([name]) => OF_TOKENS.has(name)))
  const { CONVOY_TOKEN: one, CONVOY_TOKENS_FILE: file } = given
  const names = Object.keys(given)
  if (names.length === 0) return { orchestrator: {}, service: {}, operator: undefined, rest }
  if (one !== undefined && names.length === 1) {
    return { orchestrator: given, service: given, operator: one, rest }
  }
  const write = given['CONVOY_TOKEN_WRITE'] ?? madeUp()
  const admin = one ?? given['CONVOY_TOKEN_ADMIN'] ?? madeUp()
  const orchestrator = {
    ...given,
    CONVOY_TOKEN_WRITE: write,
    ...(one === undefined && { CONVOY_TOKEN_ADMIN: admin }),
    ...(file !== undefined && { CONVOY_TOKENS_FILE: resolve(file) })
  }
  return { orchestrator, service: { CONVOY_TOKEN: write }, operator: admin, rest }
}

/** Headers of a call with `token`. */
export const bearerOf = (token: string | undefined): Record<string, string> =>
  token === undefined ? {} : { authorization: `Bearer ${token}` }

const madeUp = () => randomBytes(TOKEN_BYTES).toString('base64url')
