/**
 * Who takes part in a comparison: something that answers the database's routes and
 * the rides' routes. A new contestant is a file in this folder.
 */
import type { Processes } from '../profile/processes.ts'

export interface Contestant extends AsyncDisposable {
  readonly name: string
  /** What it is, for a reader of the figures. */
  readonly title: string
  /** Base addresses: of `db/write` and `db/read`, and of the rides. */
  readonly doors: Readonly<Record<Door, string>>
  /** Runs SQL in each of its databases, past all that is measured. */
  below(sql: readonly string[]): Promise<void>
  /** Its processes now, by what they do. */
  processes(): Promise<Processes>
}

export type Door = 'database' | 'rides'
