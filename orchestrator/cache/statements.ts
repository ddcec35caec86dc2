/**
 * What is known of each statement whose answers may be kept, and which of them are to
 * be asked about. Bounded; the longest unused leaves first.
 */
import type { Dependence, Param } from '../../wire/requests.ts'
import type { Ground, Heard } from './heard.ts'

const STATEMENTS_MAX = 2_000
/** Each question takes a connection to a worker's PostgreSQL, which clients' reads need as well. */
const ASKED_MAX = 8
/** No clock and no session's time zone has a say in how these are read. */
const ISO = /^\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d(\.\d{1,6})?)?( ?(Z|[+-]\d\d(:?\d\d)?))?)?$/

export interface Statement {
  /** Stands for its text in the keys of answers. */
  readonly id: number
  readonly sql: string
  /** Null: not known. */
  dependence: (Ground & { readonly kept: boolean; readonly instants: readonly number[] }) | null
}

export class Statements {
  readonly #heard: Heard
  readonly #statements = new Map<string, Statement>()
  readonly #wanted = new Set<Statement>()
  readonly #asked = new Set<Statement>()
  #made = 0

  constructor(heard: Heard) {
    this.#heard = heard
  }

  get(sql: string): Statement | undefined {
    return this.#statements.get(sql)
  }

  make(sql: string): Statement {
    const statement: Statement = { id: this.#made++, sql, dependence: null }
    this.#statements.set(sql, statement)
    if (this.#statements.size > STATEMENTS_MAX) {
      const [eldest] = this.#statements.values()
      if (eldest !== undefined) this.#drop(eldest)
    }
    return statement
  }

  /** Null where its answer is not to be kept, at least as far as is known. */
  groundOf(statement: Statement, params: readonly Param[]): Ground | null {
    const { dependence } = statement
    if (dependence === null || this.#isOld(dependence)) {
      this.want(statement)
      return null
    }
    const plain = dependence.instants.every(at => isPlain(params[at]))
    return dependence.kept && plain ? dependence : null
  }

  /** It is to be asked about, unless it is already. */
  want(statement: Statement): void {
    if (!this.#asked.has(statement)) this.#wanted.add(statement)
  }

  isNever({ dependence }: Statement): boolean {
    return dependence !== null && !dependence.kept && !this.#isOld(dependence)
  }

  /** Those to be asked about now, each of them once until `learn`; the others have to wait. */
  takeWanted(): Statement[] {
    const taken = [...this.#wanted].slice(0, ASKED_MAX - this.#asked.size)
    for (const statement of taken) {
      this.#wanted.delete(statement)
      this.#asked.add(statement)
    }
    return taken
  }

  /** @param told undefined when nobody answered: a read that wants it has it asked again */
  learn(statement: Statement, told: (Dependence & { readonly index: number }) | undefined): void {
    this.#asked.delete(statement)
    if (told === undefined) return
    const { index, tables, instants } = told
    const kept = tables !== null
    statement.dependence = {
      ...{ epoch: this.#heard.epoch, index, kept, instants },
      tables: (tables ?? []).map(name => this.#heard.table(name))
    }
  }

  #drop(statement: Statement): void {
    this.#statements.delete(statement.sql)
    this.#wanted.delete(statement)
  }

  #isOld({ epoch, index }: Ground): boolean {
    return epoch !== this.#heard.epoch || index < this.#heard.floor
  }
}

const isPlain = (param: Param | undefined): boolean =>
  param === null || (typeof param === 'string' && ISO.test(param))
