/**
 * The JSON form of rows, spliced from PostgreSQL's own text of each value without
 * making objects of them. docs/values.md has the table by type.
 */
import type { Field, Sink } from './steps.ts'

type Encode = (text: string) => string

const number: Encode = text => text
/** `NaN` and the infinities are no JSON numbers. */
const float: Encode = text => (/^-?\d/.test(text) ? text : JSON.stringify(text))
const boolean: Encode = text => (text === 't' ? 'true' : 'false')
/** Already JSON, whatever its spacing. */
const json: Encode = text => text
const string: Encode = text => JSON.stringify(text)

/** Types of pg_catalog by their ids, which never change; all others are strings. */
const ENCODERS: ReadonlyMap<number, Encode> = new Map([
  [16, boolean],
  [21, number],
  [23, number],
  [26, number],
  [700, float],
  [701, float],
  [114, json],
  [3802, json]
])

/** A result that outgrew its bounds: nothing more of it is kept. */
export interface Bounds {
  readonly maxBytes: number
  readonly maxRows: number
  /** What several results that are bounded together have collected so far. */
  readonly collected?: { bytes: number }
}

/** Collects the rows of one statement as the text of a JSON array. */
export class JsonRows implements Sink {
  readonly #bounds: Bounds
  readonly #onOverflow: () => void
  #keys: string[] = []
  #encoders: Encode[] = []
  #fields: readonly Field[] = []
  #rows: string[] = []
  #count = 0
  readonly #collected: { bytes: number }
  overflown = false

  constructor(bounds: Bounds, onOverflow: () => void = () => undefined) {
    this.#bounds = bounds
    this.#collected = bounds.collected ?? { bytes: 0 }
    this.#onOverflow = onOverflow
  }

  fields(fields: readonly Field[]): void {
    const names = distinctNames(fields.map(field => field.name))
    this.#fields = fields.map((field, i) => ({ ...field, name: names[i] ?? field.name }))
    this.#keys = names.map((name, i) => `${i === 0 ? '{' : ','}${JSON.stringify(name)}:`)
    this.#encoders = fields.map(field => ENCODERS.get(field.dataTypeID) ?? string)
  }

  row(values: readonly (string | null)[], bytes: number): void {
    if (this.overflown) return
    let text = values.length === 0 ? '{' : ''
    for (let i = 0; i < values.length; i++) {
      const value = values[i] ?? null
      text += (this.#keys[i] as string) + (value === null ? 'null' : this.#encoders[i]?.(value))
    }
    this.#count += 1
    // The values' own size, where most characters take several bytes.
    this.#collected.bytes += Math.max(text.length + 2, bytes)
    const { maxBytes, maxRows } = this.#bounds
    if (this.#count > maxRows || this.#collected.bytes > maxBytes) {
      this.#overflow()
    } else {
      this.#rows.push(`${text}}`)
    }
  }

  cutRow(): void {
    if (!this.overflown) this.#overflow()
  }

  #overflow(): void {
    this.overflown = true
    this.#rows = []
    this.#onOverflow()
  }

  get columns(): readonly Field[] {
    return this.#fields
  }

  /** JSON text of an array of objects. */
  get json(): string {
    return `[${this.#rows.join(',')}]`
  }
}

/** A name that stands twice among the columns gets `_2`, `_3`, ... so that no value is lost. */
export function distinctNames(names: readonly string[]): string[] {
  const taken = new Set<string>()
  return names.map(name => {
    let free = name
    for (let n = 2; taken.has(free); n++) free = `${name}_${n}`
    taken.add(free)
    return free
  })
}
