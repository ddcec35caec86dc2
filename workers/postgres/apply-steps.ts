/**
 * The statements in which a replica applies a net effect: one per table for the keys that go and
 * one for the rows that come.
 */
import { identifier, keyColumns, literal, publicName } from './catalog.ts'
import type { TableWork } from './row-plan.ts'
import type { SequenceChange } from './sequences.ts'
import type { Value } from './steps.ts'
import { packedTexts } from './text.ts'

export interface Text {
  readonly sql: string
  readonly values?: readonly Value[]
}

/** Fewer rows are deleted than the log speaks of. */
const MISFIT = 'CV102'
export const SET_SEQUENCE = 'select setval($1::regclass, $2, $3)'

/** Keys first, all of them: a row may come that takes what another gives up. */
export function stepsOf({ table, keys, gone, rows }: TableWork): Text[] {
  const steps: Text[] = []
  if (keys.length > 0) {
    const columns = keyColumns(table)
    const places = columns.map((_, i) => `$${i + 1}::text[]`).join(', ')
    const names = columns.map((_, i) => `c${i}`).join(', ')
    const match = columns.map(({ name, type }, i) => `t.${identifier(name)} = k.c${i}::${type}`)
    const from = `delete from ${publicName(table.name)} t using unnest(${places}) k(${names})`
    const values = columns.map((_, i) => packedTexts(keys.map(key => key[i] ?? null)))
    const deleted = `${from} where ${match.join(' and ')} returning 1`
    const said = `$${columns.length + 1}::int8`
    const found = `format('table %s: %s rows where the log speaks of %s', ${literal(table.name)}, count(*), ${said})`
    const check = `case when count(*) <> ${said} then convoy.refuse('${MISFIT}', ${found}) end`
    const sql = `with gone as (${deleted}) select ${check} from gone`
    steps.push({ sql, values: [...values, String(gone)] })
  }
  if (rows.length > 0) {
    const columns = table.columns.filter(column => !column.generated).map(c => identifier(c.name))
    const into = `insert into ${publicName(table.name)} (${columns.join(', ')})`
    const values = columns.map(name => `r.${name}`).join(', ')
    const from = `unnest($1::text[]::${publicName(table.name)}[]) r`
    const sql = `${into} overriding system value select ${values} from ${from}`
    steps.push({ sql, values: [packedTexts(rows)] })
  }
  return steps
}

/** In one statement: tables that refer to each other are emptied together or not at all. */
export function truncateSteps(tables: readonly string[]): Text[] {
  if (tables.length === 0) return []
  return [{ sql: `truncate ${[...new Set(tables)].map(publicName).join(', ')}` }]
}

export const sequenceStep = ({ sequence, last, called }: SequenceChange): Text => ({
  sql: SET_SEQUENCE,
  values: [publicName(sequence), last, String(called)]
})
