/**
 * What PostgreSQL is told: small, durable, the same text form of every value on
 * every worker, reachable by nobody but its worker (the socket's folder is closed
 * to others) and, over TCP, by those who clone it.
 */

export interface ServerSettings {
  readonly socketDir: string
  readonly host: string
  readonly port: number
  /** Files that PostgreSQL's account can read; only TLS is taken over TCP then. */
  readonly tls?: { readonly cert: string; readonly key: string } | undefined
}

/** Rows travel as text (docs/values.md): two workers must print and read them alike. */
const TEXT_FORM = {
  datestyle: 'ISO, MDY',
  intervalstyle: 'postgres',
  timezone: 'UTC',
  extra_float_digits: '1',
  bytea_output: 'hex',
  xmlbinary: 'base64',
  xmloption: 'content',
  lc_messages: 'C.UTF-8',
  lc_monetary: 'C.UTF-8',
  lc_numeric: 'C.UTF-8',
  lc_time: 'C.UTF-8',
  default_text_search_config: 'pg_catalog.simple',
  search_path: 'public'
}

const SIZES = {
  max_connections: '80',
  shared_buffers: '32MB',
  work_mem: '4MB',
  maintenance_work_mem: '32MB',
  temp_file_limit: '1GB',
  wal_buffers: '1MB',
  min_wal_size: '64MB',
  // A copy holds its log from when its slot is made; until then the checkpoint of another copy
  // that begins could take it.
  wal_keep_size: '64MB',
  max_wal_size: '256MB',
  // After each checkpoint whole pages are written; packed, the log let go of makes half as much WAL.
  wal_compression: 'lz4',
  // What a connection writes goes to the disk as it is written: else a checkpoint brings all of it
  // there at once, and commits wait.
  backend_flush_after: '256kB',
  // A copy takes two senders and a slot, a backup two and a slot. More copies than that at once wait.
  max_wal_senders: '12',
  max_replication_slots: '12',
  // A receiver that neither answers nor takes anything gives its sender back. The base copy has no
  // timeout of PostgreSQL's own: the kernel ends it, and so does the worker (copies.ts).
  wal_sender_timeout: '30s',
  tcp_keepalives_idle: '10',
  tcp_keepalives_interval: '5',
  tcp_keepalives_count: '4',
  tcp_user_timeout: '45s',
  max_worker_processes: '0',
  max_parallel_workers_per_gather: '0',
  max_parallel_maintenance_workers: '0',
  autovacuum_max_workers: '1',
  autovacuum_naptime: '15s'
}

const BEHAVIOUR = {
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',
  // After a crash of one process: one call instead of an fsync of each file, 5 ms instead of 600.
  recovery_init_sync_method: 'syncfs',
  wal_level: 'replica',
  jit: 'off',
  password_encryption: 'scram-sha-256',
  // LOG ranks above ERROR here: the errors of users' statements fill no disk.
  log_min_messages: 'log',
  log_min_error_statement: 'panic',
  log_line_prefix: '%m [%p] ',
  log_checkpoints: 'off',
  log_autovacuum_min_duration: '-1',
  logging_collector: 'off'
}

export function serverConfiguration(settings: ServerSettings): string {
  const values = {
    ...TEXT_FORM,
    ...SIZES,
    ...BEHAVIOUR,
    listen_addresses: settings.host,
    port: String(settings.port),
    unix_socket_directories: settings.socketDir,
    unix_socket_permissions: '0700',
    ...(settings.tls && {
      ssl: 'on',
      ssl_cert_file: settings.tls.cert,
      ssl_key_file: settings.tls.key,
      ssl_min_protocol_version: 'TLSv1.2'
    })
  }
  const lines = Object.entries(values).map(
    ([name, value]) => `${name} = '${value.replaceAll("'", "''")}'`
  )
  return ['# Written by the worker at each start.', ...lines, ''].join('\n')
}

/**
 * Trust on the socket: who can enter its folder is the worker or root.
 * @param cloneFrom PostgreSQL's name for the worker's own networks, or an address range
 */
export const accessRules = (
  cloneFrom: string,
  secured: boolean
) => `# Written by the worker at each start.
local   all           all                         trust
${secured ? 'hostssl' : 'host   '} replication   convoy_clone   ${cloneFrom.padEnd(11)} scram-sha-256
`
