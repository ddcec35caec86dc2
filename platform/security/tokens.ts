/**
 * The bearer tokens that a server takes, and whose they are.
 * Invariant: tokens are kept, and compared, as digests of one length, each with all of
 * them; how long it takes tells nothing of what was sent.
 */
import { hash, timingSafeEqual } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import type { Static, TObject } from 'typebox'
import { ConfigError } from '../config.ts'
import { keyOfOwner, keyOfToken, type LetIn } from './client-key.ts'
import type { TOKENS } from './config.ts'
import { ROLES, type Role } from './roles.ts'

/** Who may do something; the name is what an audit line tells. */
export interface Holder {
  readonly name: string
  readonly role: Role
}

export interface Token extends Holder {
  readonly token: string
}

const LINE = /^(\S+)\s+([\w.@-]{1,64})\s+(\S{8,500})$/

export class Tokens {
  /** Whether what may be seen of the cluster needs one too. */
  readonly forViews: boolean
  readonly #known: readonly { readonly digest: Buffer; readonly holder: Holder }[]
  readonly #keys = new Map<Holder, string>()

  constructor(tokens: readonly Token[], { forViews }: { readonly forViews: boolean }) {
    this.forViews = forViews
    this.#known = tokens.map(({ token, name, role }) => {
      const holder = { name, role }
      this.#keys.set(holder, keyOfToken(token))
      return { digest: digestOf(token), holder }
    })
  }

  /** Without any, everybody may everything: for loopback. */
  get asked(): boolean {
    return this.#known.length > 0
  }

  /** @param authorization the header as it came */
  holderOf(authorization: string | undefined): Holder | undefined {
    const given = digestOf(bearerIn(authorization) ?? '')
    let found: Holder | undefined
    for (const { digest, holder } of this.#known) {
      if (timingSafeEqual(given, digest)) found = holder
    }
    return found
  }

  /** Each token is a client of its own; several of one name own the same request ids. */
  letInAs(holder: Holder): LetIn {
    const seesAll = holder.role === 'admin'
    return { client: this.#keys.get(holder) ?? '', owner: keyOfOwner(holder.name), seesAll }
  }
}

/** The name of the scheme is case-insensitive (RFC 9110, 11.1), the token is not. */
const BEARER = /^bearer +(.+)$/i

/** @param authorization the header as it came */
export const bearerIn = (authorization: string | undefined): string | undefined =>
  BEARER.exec(authorization ?? '')?.[1]

export const digestOf = (text: string): Buffer => hash('sha256', text, 'buffer')

/** @throws ConfigError when there is a tokens file that cannot be used */
export function tokensOf(config: Readonly<Static<TObject<typeof TOKENS>>>): Tokens {
  const { CONVOY_TOKEN: only, CONVOY_TOKENS_FILE: file } = config
  const byRole = {
    read: config.CONVOY_TOKEN_READ,
    write: config.CONVOY_TOKEN_WRITE,
    admin: config.CONVOY_TOKEN_ADMIN
  }
  const ofRoles = ROLES.flatMap(role => {
    const token = byRole[role]
    return token === undefined ? [] : [{ token, role, name: role }]
  })
  const filed = file === undefined ? [] : tokensIn(file)
  const single = only === undefined ? [] : [{ token: only, role: 'admin' as const, name: 'token' }]
  const forViews = ofRoles.length + filed.length > 0
  return new Tokens([...single, ...ofRoles, ...filed], { forViews })
}

/** @throws ConfigError naming the line, and never what it holds */
export function tokensIn(file: string): Token[] {
  if ((statSync(file).mode & 0o077) !== 0) {
    throw new ConfigError(`${file} holds tokens and is open to others: chmod 600 ${file}`)
  }
  const lines = readFileSync(file, 'utf8').split('\n')
  return lines.flatMap((line, i) => {
    if (line.trim() === '' || line.startsWith('#')) return []
    const [, given, name = '', token = ''] = LINE.exec(line.trim()) ?? []
    const role = ROLES.find(one => one === given)
    if (role !== undefined) return [{ role, name, token }]
    throw new ConfigError(`${file}, line ${i + 1}: not \`read|write|admin name token\``)
  })
}
