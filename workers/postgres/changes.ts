/**
 * From what the capture triggers wrote to the `changes` of each entry. The rows come
 * as JSON text from PostgreSQL and are spliced in as they are.
 */
import type { Sink } from './steps.ts'

/** Collects `convoy.changes_since`: index, op, table, rows as JSON text. */
export class CapturedChanges implements Sink {
  readonly #byIndex = new Map<number, string[]>()
  /** Old keys that wait for the rows of the update they belong to. */
  #keys = new Map<string, string[]>()
  #index = 0
  /** Rows taken, of which the database should be rid sooner or later. */
  count = 0

  fields(): void {}

  row([index, op, table, rows]: readonly (string | null)[]): void {
    this.count += 1
    this.#at(Number(index))
    const name = `"table":${JSON.stringify(table)}`
    if (op === 'i') this.#push(`{"op":"insert",${name},"rows":${rows}}`)
    else if (op === 'k') this.#addKeys(table ?? '', rows ?? '[]')
    else if (op === 'u') {
      const keys = this.#keys.get(table ?? '')?.join(',') ?? ''
      this.#keys.delete(table ?? '')
      this.#push(`{"op":"update",${name},"keys":[${keys}],"rows":${rows}}`)
    } else if (op === 'd') this.#push(`{"op":"delete",${name},"keys":${rows}}`)
    else if (op === 't') this.#push(`{"op":"truncate",${name}}`)
    else this.#push(`{"op":"sql","sql":${rows?.slice(1, -1)}}`)
  }

  /** The changes of the entry `index`, each as JSON text. */
  of(index: number): readonly string[] {
    return this.#byIndex.get(index) ?? []
  }

  #at(index: number): void {
    if (index === this.#index) return
    this.#index = index
    this.#keys = new Map()
  }

  #push(change: string): void {
    const changes = this.#byIndex.get(this.#index)
    if (changes === undefined) this.#byIndex.set(this.#index, [change])
    else changes.push(change)
  }

  #addKeys(table: string, keys: string): void {
    const inner = keys.slice(1, -1)
    const waiting = this.#keys.get(table)
    if (waiting === undefined) this.#keys.set(table, [inner])
    else waiting.push(inner)
  }
}
