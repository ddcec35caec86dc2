/**
 * What `convoy` reads of its environment.
 */
import { homedir } from 'node:os'
import { join } from 'node:path'
import Type from 'typebox'
import { COMMON, loadConfig } from '../platform/config.ts'

export const COMMAND = {
  CONVOY_TLS_CA: COMMON.CONVOY_TLS_CA,
  CONVOY_TOKEN: Type.Optional(
    Type.String({ minLength: 1, description: 'Sent with guarded calls' })
  ),
  CONVOY_SQL_HISTORY: Type.String({
    default: join(homedir(), '.convoy_sql_history'),
    description: 'Where `convoy sql` remembers what was typed'
  })
}

export const loadCommandConfig = () => loadConfig(COMMAND)
