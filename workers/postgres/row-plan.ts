/**
 * The net effect of many changes of rows: per table, which keys go and which rows
 * come. Keys that must exist are counted, so that applying it shows a divergence.
 * Keys are compared by their text; where that is not enough (1.0 and 1.00 are one
 * key) the plan does not fit the table, and the changes are applied in smaller parts.
 * Pure.
 */
import type { Change } from '../entry.ts'
import { type Catalog, keyColumns, type Table } from './catalog.ts'
import { rowFields } from './text.ts'

export type RowChange = Extract<Change, { op: 'insert' | 'update' | 'delete' }>
type Key = readonly (string | null)[]

/** In one table: these keys are deleted, and must be `gone` rows; then these rows are inserted. */
export interface TableWork {
  readonly table: Table
  readonly keys: readonly Key[]
  readonly gone: number
  readonly rows: readonly string[]
}

/** The changes do not follow from each other. */
export class PlanError extends Error {
  override readonly name = 'PlanError'
}

interface Fate {
  readonly key: Key
  /** Whether the row was there before the first change. */
  readonly existed: boolean
  row: string | null
}

interface TablePlan {
  readonly table: Table
  readonly keyAt: readonly number[]
  readonly fates: Map<string, Fate>
}

export class RowPlan {
  readonly #catalog: Catalog
  readonly #tables = new Map<string, TablePlan>()
  readonly #work: TableWork[] = []

  constructor(catalog: Catalog) {
    this.#catalog = catalog
  }

  add(change: RowChange): void {
    const plan = this.#planOf(change.table)
    if (change.op === 'insert') for (const row of change.rows) insert(plan, row)
    else if (change.op === 'delete') for (const key of change.keys) remove(plan, key)
    else if (change.keys.length === 0) for (const row of change.rows) update(plan, row)
    else this.#rekey(plan, change)
  }

  /** The work so far, in an order that keeps each table's own; the plan is empty then. */
  take(): TableWork[] {
    for (const plan of this.#tables.values()) this.#finish(plan)
    return this.#work.splice(0)
  }

  /**
   * An update that changed keys. Old keys are those it names and, where a key did not
   * change, the rows' own; that more keys are asked for than rows go does no harm, for
   * a new key that was taken before is the old key of another of the rows.
   */
  #rekey(plan: TablePlan, change: Extract<RowChange, { op: 'update' }>): void {
    this.#finish(plan)
    const keys = new Map<string, Key>()
    for (const key of change.keys.map(rowFields)) keys.set(JSON.stringify(key), key)
    // A row that a cascade of the same statement touched again stands twice; its last form counts.
    const lastForms = new Map<string, string>()
    for (const row of change.rows) {
      const key = keyOfRow(plan, row)
      const name = JSON.stringify(key)
      keys.set(name, key)
      lastForms.set(name, row)
    }
    const rows = [...lastForms.values()]
    this.#work.push({ table: plan.table, keys: [...keys.values()], gone: rows.length, rows })
  }

  #finish({ table, fates }: TablePlan): void {
    const keys: Key[] = []
    const rows: string[] = []
    for (const { key, existed, row } of fates.values()) {
      if (existed) keys.push(key)
      if (row !== null) rows.push(row)
    }
    fates.clear()
    if (keys.length + rows.length > 0) this.#work.push({ table, keys, gone: keys.length, rows })
  }

  #planOf(name: string): TablePlan {
    const known = this.#tables.get(name)
    if (known !== undefined) return known
    const table = this.#catalog.tables.get(name)
    if (table === undefined) throw new PlanError(`there is no table ${name}`)
    const keyAt = keyColumns(table).map(column => table.columns.indexOf(column))
    const plan = { table, keyAt, fates: new Map<string, Fate>() }
    this.#tables.set(name, plan)
    return plan
  }
}

function keyOfRow(plan: TablePlan, row: string): Key {
  const fields = rowFields(row)
  return plan.keyAt.map(at => fields[at] ?? null)
}

function insert(plan: TablePlan, row: string): void {
  const key = keyOfRow(plan, row)
  const name = JSON.stringify(key)
  const fate = plan.fates.get(name)
  if (fate === undefined) plan.fates.set(name, { key, existed: false, row })
  else if (fate.row === null) fate.row = row
  else throw new PlanError(`a row of ${plan.table.name} is inserted twice`)
}

function update(plan: TablePlan, row: string): void {
  const key = keyOfRow(plan, row)
  const name = JSON.stringify(key)
  const fate = plan.fates.get(name)
  if (fate === undefined) plan.fates.set(name, { key, existed: true, row })
  // One statement's cascades may delete a row that others of them updated before, and the
  // triggers tell of the deletion first: a row that is gone stays gone until it is inserted.
  else if (fate.row !== null) fate.row = row
}

function remove(plan: TablePlan, keyText: string): void {
  const key = rowFields(keyText)
  const name = JSON.stringify(key)
  const fate = plan.fates.get(name)
  if (fate === undefined) plan.fates.set(name, { key, existed: true, row: null })
  else if (fate.row === null) throw new PlanError(`a row of ${plan.table.name} is deleted twice`)
  else if (fate.existed) fate.row = null
  else plan.fates.delete(name)
}
