/**
 * What `convoy` reads of its environment.
 */
import { homedir } from 'node:os'
import { join } from 'node:path'
import Type from 'typebox'
import { loadConfig } from '../../platform/config.ts'

const COMMAND = {
  /** Sent with guarded calls. */
  CONVOY_TOKEN: Type.Optional(Type.String({ minLength: 1 })),
  /** Where `convoy sql` remembers what was typed. */
  CONVOY_SQL_HISTORY: Type.String({ default: join(homedir(), '.convoy_sql_history') })
}

export const loadCommandConfig = () => loadConfig(COMMAND)
