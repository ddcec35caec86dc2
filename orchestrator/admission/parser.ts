/**
 * PostgreSQL's own parser, compiled to WebAssembly.
 * Invariants:
 * - An instance that has failed in any other way than with an error of its own is never
 *   used again: an overflow leaves its stack in disorder, and some 300 of them make every
 *   later parse fail. extent.ts keeps statements from that, so this is a second wall.
 * - While there is no instance, callers are told to come again, never that their
 *   statement is wrong.
 * V8 is kept from optimising the module: that took 430 MB, and most texts are parsed once.
 */
import { createRequire } from 'node:module'
import { setFlagsFromString } from 'node:v8'
import type * as PgQuery from 'libpg-query'
import type { RawStmt } from 'libpg-query'
import { OverloadedError } from '../../wire/errors.ts'
import { SqlNotAllowedError, SqlSyntaxError } from '../errors.ts'

type Instance = typeof PgQuery

/** At the start of a process the last one would imply the others. */
const NO_OPTIMISING = ['--no-wasm-tier-up', '--no-wasm-dynamic-tiering', '--liftoff-only']

export interface Parser {
  /** Resolves once there is an instance to parse with. */
  ready(): Promise<void>
  /** Gives up the instance at hand, for its memory never shrinks. */
  renew(): void
  /**
   * @throws SqlSyntaxError
   * @throws SqlNotAllowedError for what the parser cannot hold
   * @throws OverloadedError while there is no instance
   */
  parse(sql: string): readonly RawStmt[]
}

export async function openParser(): Promise<Parser> {
  for (const flag of NO_OPTIMISING) setFlagsFromString(flag)
  const spares = [await freshInstance(), await freshInstance()]
  let coming: Promise<void> = Promise.resolve()
  const renew = () => {
    spares.shift()
    coming = freshInstance().then(fresh => {
      spares.push(fresh)
    })
  }
  return {
    ready: async () => {
      if (spares.length === 0) await coming
    },
    renew,
    parse: sql => {
      const [instance] = spares
      if (instance === undefined) throw new OverloadedError('the parser is not ready')
      try {
        return instance.parseSync(sql).stmts ?? []
      } catch (error) {
        const isItsOwn = instance.hasSqlDetails(error)
        if (!isItsOwn || isOutOfMemory(error)) renew()
        if (isItsOwn) throw refusalOf(error)
        throw new SqlNotAllowedError('the parser cannot hold the statement', { cause: error })
      }
    }
  }
}

/** Loaded past the module cache: the package keeps one instance per load of its module. */
async function freshInstance(): Promise<Instance> {
  const require = createRequire(import.meta.url)
  const path = require.resolve('libpg-query')
  delete require.cache[path]
  const instance = require(path) as Instance
  await instance.loadModule()
  return instance
}

/** Of the whole module; its own stack of states being full is another thing. */
const isOutOfMemory = ({ message }: Error) => message.startsWith('out of memory')

function refusalOf(error: PgQuery.SqlError): SqlSyntaxError | SqlNotAllowedError {
  if (isOutOfMemory(error)) return new SqlNotAllowedError('the parser cannot hold the statement')
  if (error.message.startsWith('memory exhausted')) {
    return new SqlNotAllowedError('the statement is nested too deeply')
  }
  return new SqlSyntaxError(error.message, (error.sqlDetails?.cursorPosition ?? 0) + 1)
}
