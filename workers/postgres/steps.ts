/**
 * What goes to PostgreSQL in one exchange, and what comes back: steps, the rows that each
 * returns, and the outcome of all. Types only.
 */

export interface Field {
  readonly name: string
  readonly dataTypeID: number
}

/** Takes what one step returns, row by row; `rows` are PostgreSQL's own texts. */
export interface Sink {
  fields(fields: readonly Field[]): void
  /** @param bytes of the values together */
  row(values: readonly (string | null)[], bytes: number): void
  /** A row was longer than the connection takes. Without this, the exchange fails. */
  cutRow?(): void
}

/** Of a parameter: its text, or its binary form. */
export type Value = string | Buffer | null

export interface Step {
  /** A statement that `prepare` has made known by this name, or a text. */
  readonly name?: string
  readonly sql: string
  readonly values?: readonly Value[]
  readonly sink?: Sink
  /** Its end is to be heard at once, and not only with that of the exchange. */
  readonly tellsEnd?: boolean
  /** A user's: it may be a COPY, which would take what follows for its data. */
  readonly isUsers?: boolean
}

/** As PostgreSQL reports it. */
export interface SqlError {
  readonly sqlstate: string
  readonly message: string
  /** 1-based, in characters of the statement. */
  readonly position: number | undefined
  readonly constraint: string | undefined
  readonly hint: string | undefined
  readonly severity: string
}

/** The tags (`INSERT 0 5`) of the steps that ended well, and the error of the one that did not. */
export interface Outcome {
  readonly tags: readonly string[]
  readonly error?: SqlError
}
