/**
 * Which process gets which token when a system starts. The orchestrators get all of them, the
 * services one with the role `write` and digests of those that may clear, and scripts on this
 * machine one with the role `admin`. Tokens that nobody chose are generated at each start.
 */
import { randomBytes } from 'node:crypto'
import { resolve } from 'node:path'
import { OF_TOKENS } from '../platform/security/config.ts'
import { digestOf, tokensIn } from '../platform/security/tokens.ts'

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
    const service = { ...given, CONVOY_CLEAR_TOKEN_DIGESTS: hexOf(one) }
    return { orchestrator: given, service, operator: one, rest }
  }
  const write = given['CONVOY_TOKEN_WRITE'] ?? madeUp()
  const admin = one ?? given['CONVOY_TOKEN_ADMIN'] ?? madeUp()
  const orchestrator = {
    ...given,
    CONVOY_TOKEN_WRITE: write,
    ...(one === undefined && { CONVOY_TOKEN_ADMIN: admin }),
    ...(file !== undefined && { CONVOY_TOKENS_FILE: resolve(file) })
  }
  const filed = file === undefined ? [] : tokensIn(resolve(file))
  const admins = [admin, ...filed.filter(({ role }) => role === 'admin').map(({ token }) => token)]
  const service = {
    CONVOY_TOKEN: write,
    CONVOY_CLEAR_TOKEN_DIGESTS: admins.map(hexOf).join(',')
  }
  return { orchestrator, service, operator: admin, rest }
}

/** Headers of a call with `token`. */
export const bearerOf = (token: string | undefined): Record<string, string> =>
  token === undefined ? {} : { authorization: `Bearer ${token}` }

const hexOf = (token: string) => digestOf(token).toString('hex')

const madeUp = () => randomBytes(TOKEN_BYTES).toString('base64url')
