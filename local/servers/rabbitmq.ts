/**
 * A private RabbitMQ: Debian's server, started without its shell wrapper, so that
 * the process we signal is the server. It reads no file of the machine's own broker.
 * No distribution and no epmd: nothing but the AMQP port on loopback listens, and
 * nothing outlives the server. It keeps nothing that a restart of the system
 * needs (whatever is unanswered is sent again), so each start begins empty. While it
 * starts again nobody is answered, so it is to start quickly.
 */
import { copyFile, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { connect } from 'amqplib'
import { type Certificates, keyAndCertificateOf } from '../certificates.ts'
import type { ProcessSpec } from '../processes/watched.ts'

export interface RabbitMqOptions {
  readonly dir: string
  readonly port: number
  readonly vhost: string
  readonly user: string
  readonly password: string
  /** The installed server, as `local/install/` found it. */
  readonly home: string
  readonly runAs: string | undefined
  /** Further arguments of `erl`: a test's own. */
  readonly args?: readonly string[]
  /** Only TLS is taken then. */
  readonly certificates?: Certificates | undefined
}

/** No port for other Erlang nodes, no epmd asked for one; the number is only ever recorded. */
const NO_DISTRIBUTION = '-start_epmd false -dist_listen false -erl_epmd_port 1'
/**
 * Above it RabbitMQ takes no messages at all, confirmations included. Far above what may be on
 * its way at once (docs/decisions/overload.md): a limit that is not reached, not what it uses.
 */
const MEMORY = '1GB'
const PROBE_TIMEOUT_MS = 2_000

type Address = Pick<RabbitMqOptions, 'user' | 'password' | 'port' | 'vhost' | 'certificates'>

export function amqpUrl({ user, password, port, vhost, certificates }: Address): string {
  const scheme = certificates === undefined ? 'amqp' : 'amqps'
  return `${scheme}://${user}:${password}@127.0.0.1:${port}/${encodeURIComponent(vhost)}`
}

/** Writes the configuration; the folder must belong to the user it runs as. */
export async function rabbitMq(options: RabbitMqOptions): Promise<ProcessSpec> {
  const { dir, home } = options
  for (const name of ['mnesia', 'log', 'schema', 'plugins']) {
    await rm(join(dir, name), { recursive: true, force: true })
  }
  await mkdir(join(dir, 'log'), { recursive: true })
  await linkPackages(join(home, 'plugins'), join(dir, 'plugins'))
  await writeFile(join(dir, 'rabbitmq.conf'), configuration(options), { mode: 0o600 })
  for (const [name, path] of Object.entries(options.certificates ?? {})) {
    await copyFile(path, join(dir, `${name}.pem`)) // Of the user it runs as, with their mode.
  }
  await writeFile(join(dir, 'enabled_plugins'), '[].\n')
  const url = amqpUrl(options)
  return {
    name: 'rabbitmq',
    command: 'erl',
    args: [...ERL_ARGS, ...(options.args ?? [])],
    env: {
      PATH: '/usr/bin:/bin',
      LANG: 'C.UTF-8',
      HOME: dir, // Holds the Erlang cookie.
      ERL_LIBS: join(dir, 'plugins'),
      ERL_MAX_ETS_TABLES: '50000',
      // In the environment, because RabbitMQ starts further `erl` that must not start epmd either.
      ERL_AFLAGS: NO_DISTRIBUTION,
      RABBITMQ_HOME: home,
      RABBITMQ_PLUGINS_DIR: join(dir, 'plugins'),
      RABBITMQ_NODENAME: 'convoy@localhost',
      RABBITMQ_CONF_ENV_FILE: join(dir, 'none'),
      RABBITMQ_CONFIG_FILE: join(dir, 'rabbitmq.conf'),
      RABBITMQ_CONFIG_FILES: join(dir, 'none'),
      RABBITMQ_ADVANCED_CONFIG_FILE: join(dir, 'none.config'),
      RABBITMQ_ENABLED_PLUGINS_FILE: join(dir, 'enabled_plugins'),
      RABBITMQ_MNESIA_BASE: join(dir, 'mnesia'),
      RABBITMQ_FEATURE_FLAGS_FILE: join(dir, 'mnesia', 'feature_flags'),
      RABBITMQ_GENERATED_CONFIG_DIR: join(dir, 'schema'),
      RABBITMQ_LOG_BASE: join(dir, 'log'),
      RABBITMQ_PID_FILE: join(dir, 'rabbitmq.pid')
    },
    user: options.runAs,
    deathSignal: 'KILL', // It has nothing to save, and its own way down takes seconds.
    graceMs: 1_500,
    ready: () => accepts(url, options.certificates),
    mustAnswer: true
  }
}

/** As in Debian's rabbitmq-server, with few threads: the machine has more to do. */
const ERL_ARGS = [
  ...['-noinput', '-boot', 'start_sasl', '-s', 'rabbit', 'boot', '-sname', 'convoy@localhost'],
  ...['+W', 'w', '+S', '2:2', '+SDio', '4', '+sbwt', 'none', '+sbwtdcpu', 'none'],
  ...['+sbwtdio', 'none', '+B', 'i', '-syslog', 'logger', '[]'],
  ...['-syslog', 'syslog_error_logger', 'false']
]

const configuration = (
  options: RabbitMqOptions
) => `${listeners(options)}default_vhost = ${options.vhost}
default_user = ${options.user}
default_pass = ${options.password}
loopback_users.guest = true
vm_memory_high_watermark.absolute = ${MEMORY}
disk_free_limit.absolute = 50MB
log.console = true
log.console.level = warning
log.file = false
`

const listeners = ({ dir, port, certificates }: RabbitMqOptions): string =>
  certificates === undefined
    ? `listeners.tcp.1 = 127.0.0.1:${port}\n`
    : `listeners.tcp = none
listeners.ssl.1 = 127.0.0.1:${port}
ssl_options.cacertfile = ${join(dir, 'ca.pem')}
ssl_options.certfile = ${join(dir, 'cert.pem')}
ssl_options.keyfile = ${join(dir, 'key.pem')}
ssl_options.verify = verify_peer
ssl_options.fail_if_no_peer_cert = true
ssl_options.versions.1 = tlsv1.3
ssl_options.versions.2 = tlsv1.2
`

/**
 * At each start RabbitMQ loads all code of all packages that it finds, plugins that are
 * off included: half of the time until it answers, and nobody is answered meanwhile. So
 * it finds what it needs and no more.
 */
async function linkPackages(from: string, to: string): Promise<void> {
  await mkdir(to)
  const folders = new Map((await readdir(from)).map(name => [name.replace(/-[\d.]+$/, ''), name]))
  const needed = new Set(['rabbit'])
  for (const name of needed) {
    const folder = folders.get(name)
    if (folder === undefined) continue // Erlang's own
    await symlink(join(from, folder), join(to, folder))
    const described = await readFile(join(from, folder, 'ebin', `${name}.app`), 'utf8')
    const [, list = ''] = /\{applications,\s*\[([^\]]*)\]/.exec(described) ?? []
    for (const other of list.split(',')) needed.add(other.trim())
  }
}

async function accepts(url: string, certificates: Certificates | undefined): Promise<boolean> {
  try {
    const shown = certificates && keyAndCertificateOf(certificates)
    const connection = await connect(url, { timeout: PROBE_TIMEOUT_MS, ...shown })
    connection.on('error', () => {})
    await connection.close()
    return true
  } catch {
    return false
  }
}
