/**
 * The table in which services note the migrations that they have applied, and its key. It may
 * be made, read and written, and is not dropped, altered, emptied or cleared; nothing else
 * may have these names. Every other name is free, whatever it begins with.
 */
export const RECORD_TABLE = 'convoy_migrations'
export const RECORD_NAMES: ReadonlySet<string> = new Set([RECORD_TABLE, `${RECORD_TABLE}_pkey`])
