/**
 * What the fuzzer can call: every function, operator and type of the cluster's own
 * PostgreSQL that the application's role may use, read over HTTP like any client would.
 */
import { type Orchestrator, read } from '../../testing/cluster/database.ts'

export interface Callable {
  /** Quoted and with its schema, as it stands in a statement. */
  readonly name: string
  readonly kind: 'function' | 'aggregate' | 'window' | 'operator'
  /** Names of the argument types; an operator with one has its operand on the right. */
  readonly args: readonly string[]
  readonly result: string
  readonly returnsSet: boolean
}

export interface Catalog {
  readonly callables: readonly Callable[]
  /** Types that a column can have, with their category (`pg_type.typcategory`). */
  readonly types: readonly { readonly name: string; readonly category: string }[]
}

/** The role that executes writes; reads run as one with the same functions. */
const ROLE = 'convoy_app'

const FUNCTIONS = `
  select quote_ident(n.nspname) || '.' || quote_ident(p.proname) as name, p.prokind as kind,
    to_json(array(select format_type(a, null) from unnest(p.proargtypes::oid[]) with ordinality u(a, i)
      order by i)) as args,
    format_type(p.prorettype, null) as result, p.proretset as set
  from pg_proc p join pg_namespace n on n.oid = p.pronamespace
  where n.nspname in ('pg_catalog', 'information_schema') and p.prokind in ('f', 'a', 'w')
    and has_function_privilege($1, p.oid, 'execute')
    and not 'internal'::regtype = any (p.proargtypes::oid[])
    and p.prorettype not in ('trigger'::regtype, 'event_trigger'::regtype)
  order by p.oid`

const OPERATORS = `
  select 'operator(pg_catalog.' || o.oprname || ')' as name,
    to_json(array(select format_type(a, null) from unnest(array[o.oprleft, o.oprright]) a
      where a <> 0)) as args,
    format_type(o.oprresult, null) as result
  from pg_operator o where o.oprcode <> 0 order by o.oid`

const TYPES = `
  select format_type(t.oid, null) as name, t.typcategory as category
  from pg_type t join pg_namespace n on n.oid = t.typnamespace
  where n.nspname = 'pg_catalog' and t.typtype in ('b', 'r', 'm') and t.typrelid = 0
  order by t.oid`

interface FunctionRow {
  readonly name: string
  readonly kind: 'f' | 'a' | 'w'
  readonly args: readonly string[]
  readonly result: string
  readonly set: boolean
}

export async function readCatalog(orchestrator: Orchestrator): Promise<Catalog> {
  const rowsOf = async <T>(sql: string, params: readonly unknown[] = []) =>
    (await read(orchestrator, sql, { params })).rows as unknown as readonly T[]
  const functions = (await rowsOf<FunctionRow>(FUNCTIONS, [ROLE])).map(
    ({ name, kind, args, result, set }): Callable => ({
      name,
      kind: kind === 'a' ? 'aggregate' : kind === 'w' ? 'window' : 'function',
      args,
      result,
      returnsSet: set
    })
  )
  const operators = (await rowsOf<Omit<FunctionRow, 'kind' | 'set'>>(OPERATORS)).map(
    (row): Callable => ({ ...row, kind: 'operator', returnsSet: false })
  )
  return { callables: [...functions, ...operators], types: await rowsOf(TYPES) }
}
