/**
 * PostgreSQL's own parser, compiled to WebAssembly. A statement nested too deeply
 * overflows its stack and leaves the instance broken (measured: some 300 such
 * overflows, then every parse fails). Invariant: an instance that has failed in
 * any other way than with a syntax error is never used again; a spare one is ready.
 * V8 is kept from optimising the module: that took 430 MB, and most texts are parsed once.
 */
import { createRequire } from 'node:module'
import { setFlagsFromString } from 'node:v8'
import type * as PgQuery from 'libpg-query'
import type { RawStmt } from 'libpg-query'
import { SqlNotAllowedError, SqlSyntaxError } from '../errors.ts'

type Instance = typeof PgQuery

/** At the start of a process the last one would imply the others. */
const NO_OPTIMISING = ['--no-wasm-tier-up', '--no-wasm-dynamic-tiering', '--liftoff-only']

export interface Parser {
  /**
   * @throws SqlSyntaxError
   * @throws SqlNotAllowedError for what the parser cannot hold
   */
  parse(sql: string): readonly RawStmt[]
}

export async function openParser(): Promise<Parser> {
  for (const flag of NO_OPTIMISING) setFlagsFromString(flag)
  const spares = [await freshInstance(), await freshInstance()]
  const replace = async () => {
    spares.push(await freshInstance())
  }
  return {
    parse: sql => {
      const instance = spares[0]
      if (instance === undefined) throw new SqlNotAllowedError('the statement is nested too deeply')
      try {
        return instance.parseSync(sql).stmts ?? []
      } catch (error) {
        if (instance.hasSqlDetails(error)) throw syntaxError(error)
        spares.shift()
        void replace()
        throw new SqlNotAllowedError('the statement is nested too deeply', { cause: error })
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

function syntaxError(error: PgQuery.SqlError): SqlSyntaxError | SqlNotAllowedError {
  if (error.message.startsWith('memory exhausted')) {
    return new SqlNotAllowedError('the statement is nested too deeply')
  }
  return new SqlSyntaxError(error.message, (error.sqlDetails?.cursorPosition ?? 0) + 1)
}
