/**
 * Sees to it that a worker's database has Convoy's schema, and gives it what holds
 * for this run of the worker alone: the secret that opens the log, the limit of an
 * entry, the password for copies. The only user of the set-up role.
 */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import pg from 'pg'
import { StoreLostError } from '../store.ts'
import { SETUP_ROLE } from './server.ts'

export interface SchemaSettings {
  readonly socketDir: string
  readonly port: number
  readonly secret: string
  readonly clonePassword: string
  readonly maxEntryBytes: number
}

const FIRST = 'schema.sql'
/**
 * Run again at each start, so that functions and walls of the worker's own version are in force
 * on a database that an older version made.
 */
const EACH_START = [
  'schema-walls.sql',
  'schema-trees.sql',
  'schema-capture.sql',
  'schema-checks.sql',
  'schema-compare.sql'
]
/** Behind all that is made once: event triggers fire on what follows. */
const EVENTS = 'schema-events.sql'
const BATCH = 'schema-batch.sql'
/** Functions call each other across the files, and event triggers fire on what is made here. */
const BEFORE = "set local check_function_bodies = off; set local convoy.preparing = 'on';"
/** What a database of an older version holds is noted, and captured as this version does. */
const AFTER = "select convoy.settle_schema(false, '{}');"

export async function prepareSchema(settings: SchemaSettings): Promise<void> {
  const client = new pg.Client({
    host: settings.socketDir,
    port: settings.port,
    user: SETUP_ROLE,
    password: '',
    database: 'postgres',
    connectionTimeoutMillis: 10_000
  })
  client.on('error', () => undefined)
  try {
    await client.connect()
    const isNew = !(await isInstalled(client))
    const files = isNew ? [FIRST, ...EACH_START, EVENTS, BATCH] : [...EACH_START, BATCH]
    const texts = await Promise.all(files.map(textOf))
    // One string is one transaction: half a schema is never seen.
    await client.query([BEFORE, ...texts, settingsOf(client, settings), AFTER].join('\n'))
  } catch (cause) {
    throw new StoreLostError('the database could not be prepared', cause)
  } finally {
    await client.end()
  }
}

async function isInstalled(client: pg.Client): Promise<boolean> {
  const { rowCount } = await client.query(
    `select from pg_catalog.pg_event_trigger where evtname = 'convoy_3_trigger'`
  )
  return rowCount === 1
}

const textOf = (file: string) => readFile(new URL(file, import.meta.url), 'utf8')

function settingsOf(client: pg.Client, settings: SchemaSettings): string {
  // Only the digest is stored: functions' texts can be read by anybody who logs in. Immutable
  // throughout (convert_to is not), or PostgreSQL would not inline it.
  const digest = createHash('sha256').update(settings.secret).digest('hex')
  const body = `select sha256(secret::bytea) = '\\x${digest}'::bytea`
  const password = client.escapeLiteral(settings.clonePassword)
  return `
    create or replace function convoy.trusted(secret text) returns boolean
      language sql immutable as ${client.escapeLiteral(body)};
    create or replace function convoy.entry_bytes_max() returns int4
      language sql immutable as 'select ${Math.trunc(settings.maxEntryBytes)}';
    alter role convoy_clone password ${password};
    -- It ends copies that are made for nobody (copies.ts).
    grant convoy_clone to convoy_apply;
    grant execute on function pg_catalog.pg_terminate_backend(int4, int8) to convoy_apply;
    -- What a master could build or evaluate, a replica can read and evaluate: it has more stack.
    alter role convoy_app set max_stack_depth = '1536kB';
    -- It looks at what processes do: copies, and statements that do not end (guard.ts).
    grant pg_read_all_stats to convoy_apply;
    grant execute on function pg_catalog.pg_stat_get_activity(int4),
      pg_catalog.pg_stat_get_progress_info(text) to convoy_apply;
    -- What one exchange reads is of one snapshot (reads.ts).
    alter role convoy_read set default_transaction_isolation = 'repeatable read';
    -- Trees of queries are asked for as messages (dependence.ts): they are to fill no disk.
    alter role convoy_read set log_min_messages = 'fatal';`
}
