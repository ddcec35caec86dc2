/**
 * What a batch of writes works with, and the SQL of Convoy's own that it uses.
 */
import type { Catalog } from './catalog.ts'
import { ROLLBACK_TO, SAVEPOINT, TAG } from './command.ts'
import type { Limits } from './limits.ts'
import type { LogEnd } from './log.ts'
import type { SequencePositions } from './sequences.ts'
import type { Session } from './session.ts'

export interface Master {
  readonly session: Session
  readonly secret: string
  readonly limits: Limits
  readonly log: LogEnd
  readonly sequences: SequencePositions
  catalog: Catalog
}

export const BEGIN = 'begin'
export const COMMIT = 'commit'
export const OPEN = 'select convoy.open_batch($1, $2, $3)'
export const CHANGES = 'select index, op, tbl, rows from convoy.changes_since($1, $2)'
export const APPEND = 'select convoy.append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)'
export const OUTCOMES =
  'select index, term, request_key, command_hash, status, result from convoy.outcomes($1, $2)'
export const EMPTY_CHANGES = 'select convoy.empty_changes($1)'

/** Prepared once per connection, for each batch needs them all. */
export const MASTER_TEXTS = [
  ...[BEGIN, COMMIT, OPEN, CHANGES, APPEND, OUTCOMES],
  ...[SAVEPOINT, ROLLBACK_TO, TAG]
]
