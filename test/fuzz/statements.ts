/**
 * Random statements over a catalog. Each round calls every function and operator once, in
 * an order and with arguments that the seed decides. Pure.
 */
import { Dice } from '../../testing/random.ts'
import type { Callable, Catalog } from './catalog.ts'
import { anyType, quoted, randomValue, stand } from './values.ts'

export interface FuzzStatement {
  readonly sql: string
  readonly params: readonly unknown[]
  readonly expectRows?: number
}

export type FuzzRequest =
  | {
      readonly kind: 'write'
      readonly statements: readonly FuzzStatement[]
      /** Has a longer bound of its own, and holds up writes meanwhile (docs/write-execution.md). */
      readonly changesSchema: boolean
    }
  | {
      readonly kind: 'read'
      readonly statement: FuzzStatement
      readonly consistency: 'strong' | 'replica'
    }

/** Holds rows for the statements that read and change some. */
export const TABLE = 'fuzz_rows'
export const SETUP = [
  `create table if not exists ${TABLE} (id integer primary key, n numeric, t text, j jsonb,
    a integer[], f double precision, at timestamptz, b bytea)`,
  `insert into ${TABLE} select g, g, 'row ' || g, jsonb_build_object('g', g), array[g, g + 1], g / 7.0,
    now() - g * interval '1 hour', convert_to(g::text, 'UTF8')
    from generate_series(1, 200) g on conflict do nothing`
]

const READ_SHARE = 0.55
const SCHEMA_SHARE = 0.12
const SEVERAL_CHANCE = 0.15
const TABLES_MAX = 12

export class Statements {
  readonly #catalog: Catalog
  readonly #dice: Dice
  readonly #byResult = new Map<string, Callable[]>()
  #deck: Callable[] = []
  /** Callables that were dealt so far. */
  dealt = 0
  #tables = 0

  constructor(catalog: Catalog, seed: number) {
    this.#catalog = catalog
    this.#dice = new Dice(seed)
    for (const callable of catalog.callables) {
      if (callable.kind !== 'function' && callable.kind !== 'operator') continue
      if (callable.returnsSet) continue
      const known = this.#byResult.get(callable.result) ?? []
      known.push(callable)
      this.#byResult.set(callable.result, known)
    }
  }

  next(): FuzzRequest {
    const dice = this.#dice
    if (dice.chance(SCHEMA_SHARE)) {
      return { kind: 'write', statements: [this.#schemaChange()], changesSchema: true }
    }
    if (dice.chance(READ_SHARE)) {
      const consistency = dice.chance(0.5) ? 'strong' : 'replica'
      return { kind: 'read', statement: this.#query(), consistency }
    }
    const count = dice.chance(SEVERAL_CHANCE) ? dice.between(2, 5) : 1
    const statements = Array.from({ length: count }, () => this.#change())
    return { kind: 'write', statements, changesSchema: false }
  }

  #query(): FuzzStatement {
    const expression = this.#call(this.#deal(), 0)
    const from = this.#dice.chance(0.2) ? ` from ${TABLE} limit 20` : ''
    return this.#withParams(`select ${expression}${from}`)
  }

  #change(): FuzzStatement {
    const dice = this.#dice
    const expression = this.#call(this.#deal(), 0)
    const id = dice.between(1, 200)
    const forms = [
      `select ${expression}`,
      `update ${TABLE} set t = (${expression})::text where id = ${id}`,
      `update ${TABLE} set j = to_jsonb(${expression}) where id = ${id} returning j`,
      `insert into ${TABLE} (id, t) values (${id}, (${expression})::text)
        on conflict (id) do update set t = excluded.t`,
      `delete from ${TABLE} where id = ${id} and (${expression}) is null`,
      `merge into ${TABLE} r using (select ${id} as id, (${expression})::text as t) s on r.id = s.id
        when matched then update set t = s.t when not matched then insert (id, t) values (s.id, s.t)`
    ]
    const statement = this.#withParams(dice.pick(forms) ?? `select ${expression}`)
    return dice.chance(0.1) ? { ...statement, expectRows: dice.between(0, 2) } : statement
  }

  #schemaChange(): FuzzStatement {
    const dice = this.#dice
    const type = dice.pick(this.#catalog.types)?.name ?? 'integer'
    const expression = this.#expression(type, 0)
    this.#tables += 1
    const table = `fuzz_${this.#tables % TABLES_MAX}`
    const forms = [
      `drop table if exists ${table}`,
      `create table if not exists ${table} (id integer primary key, c ${type}, d ${type})`,
      `create table if not exists ${table} (id integer primary key, c ${type} default ${expression})`,
      `create table if not exists ${table} (id integer primary key, c ${type}, check ((${expression}) is not null))`,
      `create table if not exists ${table} (id integer primary key, c ${type} generated always as (${expression}) stored)`,
      `create table if not exists ${table} (c ${type}, id integer, primary key (c, id)) partition by ${dice.pick(['hash', 'list', 'range'])} (c)`,
      `insert into ${table} (id) select g from generate_series(1, 5) g on conflict do nothing`,
      `update ${table} set c = ${expression}`,
      `alter table ${table} add column e ${type} default ${expression}`,
      `alter table ${table} alter column c type ${type} using (${expression})`,
      `alter table ${table} alter column c type text using c::text`,
      `alter table ${table} add check ((${expression}) is not null)`,
      `create index on ${table} ((${expression}))`,
      `create index on ${table} (id) where (${expression}) is not null`
    ]
    return { sql: dice.pick(forms) ?? forms[0] ?? '', params: [] }
  }

  /** Every callable once, before any comes again. */
  #deal(): Callable {
    if (this.#deck.length === 0) this.#deck = shuffled(this.#catalog.callables, this.#dice)
    this.dealt += 1
    return this.#deck.pop() as Callable
  }

  #call({ name, kind, args, result, returnsSet }: Callable, depth: number): string {
    const element = anyType(this.#dice)
    const values = args.map(type => this.#expression(stand(type, element), depth + 1))
    if (kind === 'operator') {
      const [left, right] = values
      return right === undefined ? `(${name} ${left})` : `(${left} ${name} ${right})`
    }
    const call = `${name}(${values.join(', ')})`
    if (kind === 'window') return `${call} over (order by 1)`
    if (kind === 'aggregate') return `(select ${call} from generate_series(1, 3))`
    const isWhole = returnsSet || result === 'record'
    if (isWhole && depth > 0) return `(select ${call} limit 1)`
    return call
  }

  #expression(type: string, depth: number): string {
    const dice = this.#dice
    const makers = depth < 3 && dice.chance(0.15) ? this.#byResult.get(type) : undefined
    const maker = makers === undefined ? undefined : dice.pick(makers)
    return maker === undefined ? randomValue(type, dice) : this.#call(maker, depth)
  }

  /** Now and then the first literals travel as parameters. */
  #withParams(sql: string): FuzzStatement {
    if (!this.#dice.chance(0.2)) return { sql, params: [] }
    const params: string[] = []
    const text = sql.replaceAll(/'((?:[^']|'')*)'/g, (literal, inner: string) => {
      if (params.length === 2) return literal
      params.push(inner.replaceAll("''", "'"))
      return `$${params.length}`
    })
    return { sql: text, params }
  }
}

function shuffled<T>(items: readonly T[], dice: Dice): T[] {
  const deck = [...items]
  for (let i = deck.length - 1; i > 0; i--) {
    const j = dice.between(0, i)
    const kept = deck[i] as T
    deck[i] = deck[j] as T
    deck[j] = kept
  }
  return deck
}

export const textOf = (request: FuzzRequest): string => {
  if (request.kind === 'read') return `${request.consistency} read: ${shown(request.statement)}`
  return `write: ${request.statements.map(shown).join('; ')}`
}

const shown = ({ sql, params, expectRows }: FuzzStatement): string => {
  const values = params.length === 0 ? '' : ` ${JSON.stringify(params)}`
  return `${sql}${values}${expectRows === undefined ? '' : ` (expects ${quoted(String(expectRows))})`}`
}
