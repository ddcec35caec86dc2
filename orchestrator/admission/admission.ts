/**
 * Decides what SQL the cluster takes, before anything is sent; the rights of the database's
 * roles stand behind this as a second wall.
 * Invariants:
 * - What is admitted as reading holds nothing that writes or locks.
 * - The event loop waits for no more than `HERE_CHARS_MAX` characters of a request to be
 *   parsed, 2 ms at worst; threads parse what is longer.
 */
import { hash } from 'node:crypto'
import { InvalidRequestError } from '../../wire/errors.ts'
import { DEPTH_MAX, hasHalfPair, isTooDeep } from '../../wire/param-text.ts'
import type { Param } from '../../wire/requests.ts'
import {
  ParamCountError,
  ParamError,
  SqlNotAllowedError,
  SqlTooLargeError,
  StatementError
} from '../errors.ts'
import { type Examined, examined, type Verdict, verdictOf } from './examine.ts'
import { Examiners } from './examiners.ts'
import { extentOf } from './extent.ts'
import type { Parser } from './parser.ts'
import { VerdictCache } from './verdict-cache.ts'

/** Of all statements of a request. Parsing so much takes 0.4 s; values belong into parameters. */
const SQL_CHARS_MAX = 1_200_000
/** Of a request, parsed on the event loop: together at most 2 ms. */
const HERE_CHARS_MAX = 4_096
const HERE_NODES_MAX = 1_000
/** Of PostgreSQL's protocol. */
const PARAMS_MAX = 65_535
export const STATEMENTS_MAX = 1_000

/** As the caller sent it. */
export interface AskedStatement {
  readonly sql: string
  readonly params?: readonly Param[]
  readonly expectRows?: number
}

/** JSON text of the statements, and the digest by which a repeated command is known. */
export interface AdmittedWrite {
  readonly statements: string
  readonly commandHash: string
}

export interface WriteOptions {
  /** Whose share of the parsing threads it uses. */
  readonly client?: string
  /** What the caller wants; its digest then stands for the statements, which may differ in a retry. */
  readonly intent?: string | undefined
}

export interface Admission {
  /** @throws ServiceError saying which statement is refused, and why */
  write(statements: readonly AskedStatement[], options?: WriteOptions): Promise<AdmittedWrite>
  /** @throws ServiceError */
  read(sql: string, params: readonly Param[], client?: string): Promise<void>
}

export interface OpenAdmission extends Admission, AsyncDisposable {}

export function openAdmission(parser: Parser): OpenAdmission {
  const verdicts = new Verdicts(parser)
  return {
    async write(asked, { client = '', intent } = {}) {
      const find = await verdicts.of(
        asked.map(({ sql }) => sql),
        client
      )
      const statements = asked.map(({ sql, params = [], expectRows }, at) => {
        const { kind } = admitOne(find, { sql, params, at })
        return expectRows === undefined ? { sql, params, kind } : { sql, params, kind, expectRows }
      })
      return sealWrite(statements, intent)
    },
    async read(sql, params, client = '') {
      const find = await verdicts.of([sql], client)
      const { onlyReads } = admitOne(find, { sql, params, at: null })
      if (!onlyReads) throw new SqlNotAllowedError('only reading statements are taken here')
    },
    [Symbol.asyncDispose]: () => verdicts[Symbol.asyncDispose]()
  }
}

type Find = (sql: string) => Verdict

/** Remembered, found here, or by a thread. */
class Verdicts implements AsyncDisposable {
  readonly #parser: Parser
  readonly #remembered = new VerdictCache<Verdict>()
  readonly #examiners = new Examiners()

  constructor(parser: Parser) {
    this.#parser = parser
  }

  /** @returns tells the verdict on each of the texts, or throws why there is none */
  async of(sqls: readonly string[], client: string): Promise<Find> {
    const chars = sqls.reduce((sum, sql) => sum + sql.length, 0)
    if (chars > SQL_CHARS_MAX) throw new SqlTooLargeError(SQL_CHARS_MAX)
    const found = new Map<string, Verdict | Examined>()
    const unknown: string[] = []
    for (const sql of sqls) {
      if (found.has(sql)) continue
      const verdict = this.#remembered.get(sql)
      found.set(sql, verdict ?? UNKNOWN)
      if (verdict === undefined) unknown.push(sql)
    }
    const results = unknown.length === 0 ? [] : await this.#examine(unknown, client)
    for (const [i, result] of results.entries()) found.set(unknown[i] as string, result)
    return sql => {
      const one = found.get(sql) ?? UNKNOWN
      return 'params' in one ? one : this.#remembered.keep(sql, verdictOf(one))
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#examiners[Symbol.asyncDispose]()
  }

  #examine(sqls: readonly string[], client: string): Promise<Examined[]> | Examined[] {
    if (isLarge(sqls)) return this.#examiners.examine(sqls, client)
    return sqls.map(sql => examined(this.#parser, sql))
  }
}

/** Of a text behind one that is refused: nobody asks for it. */
const UNKNOWN: Examined = { kind: 'notAllowed', message: 'the statement was not examined' }

function isLarge(sqls: readonly string[]): boolean {
  let chars = 0
  let nodes = 0
  for (const sql of sqls) {
    chars += sql.length
    if (chars > HERE_CHARS_MAX) return true
    nodes += nodesOf(sql)
  }
  return nodes > HERE_NODES_MAX
}

/** What is refused for its extent is not parsed at all. */
function nodesOf(sql: string): number {
  try {
    return extentOf(sql)
  } catch {
    return 0
  }
}

/** The same statements, or the same intent, give the same digest in whatever process. */
export function sealWrite(statements: readonly object[], intent?: string): AdmittedWrite {
  const text = JSON.stringify(statements)
  // No text of statements begins like that.
  const digested = intent === undefined ? text : `intent ${intent}`
  return { statements: text, commandHash: hash('sha256', digested, 'base64url').slice(0, 22) }
}

interface Asked {
  readonly sql: string
  readonly params: readonly Param[]
  /** Position in a list; null for a read, which is alone. */
  readonly at: number | null
}

function admitOne(find: Find, asked: Asked): Verdict {
  const { sql, params, at } = asked
  try {
    checkParams(params)
    const verdict = find(sql)
    if (params.length !== verdict.params) {
      throw new ParamCountError({ given: params.length, wanted: verdict.params })
    }
    return verdict
  } catch (error) {
    throw error instanceof StatementError && at !== null ? error.inStatement(at) : error
  }
}

function checkParams(params: readonly Param[]): void {
  if (params.length > PARAMS_MAX) {
    throw new InvalidRequestError(`more than ${PARAMS_MAX} parameters in one statement`)
  }
  for (const [at, param] of params.entries()) {
    // Numbers come as text where JSON.parse would round them; this one was rounded by a caller.
    if (typeof param === 'number' && Number.isInteger(param) && !Number.isSafeInteger(param)) {
      throw new InvalidRequestError('integers beyond 2^53 are sent as strings, to stay exact')
    }
    if (typeof param === 'object' && isTooDeep(param)) {
      throw new ParamError(at, `is nested more than ${DEPTH_MAX} levels deep`)
    }
    if (hasHalfPair(param)) throw new ParamError(at, 'holds half of a surrogate pair')
  }
}
