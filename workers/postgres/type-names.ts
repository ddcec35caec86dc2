/**
 * Names of types by their ids, as answers to reads tell them: `int4`, `text[]`. Asked
 * for once per id; ids of the application's own types differ from worker to worker.
 */
import type { Connection } from './connection.ts'
import { textArray } from './text.ts'

const NAMES = `
  select t.oid, case when e.oid is null then t.typname else e.typname || '[]' end
  from pg_catalog.pg_type t
  left join pg_catalog.pg_type e on e.oid = t.typelem and t.typcategory = 'A'
  where t.oid = any ($1::oid[])`

export class TypeNames {
  readonly #connection: Connection
  readonly #names = new Map<number, string>()

  constructor(connection: Connection) {
    this.#connection = connection
  }

  async of(ids: readonly number[]): Promise<string[]> {
    const unknown = ids.filter(id => !this.#names.has(id))
    if (unknown.length > 0) {
      const rows = await this.#connection.rows(NAMES, [textArray(unknown.map(String))])
      for (const [id, name] of rows) this.#names.set(Number(id), name ?? '')
    }
    return ids.map(id => this.#names.get(id) ?? '')
  }
}
