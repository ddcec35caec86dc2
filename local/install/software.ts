/**
 * The three servers that Convoy runs and npm does not bring, as Debian installs
 * them. Only looks; `install.ts` brings what is missing.
 */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

export interface Software {
  /** Folder of RabbitMQ's own files, with `plugins/` in it. */
  readonly rabbitMqHome: string
  /** ZooKeeper's jar (its manifest names the others) and a logger that it finds. */
  readonly zooKeeperJars: readonly string[]
  /** Folder of `initdb`, `postgres` and `pg_basebackup`. */
  readonly postgresBin: string
}

/** What a Debian machine lacks, and what for. */
export interface Missing {
  readonly packages: readonly string[]
  readonly why: string
}

const RABBITMQ_LIB = '/usr/lib/rabbitmq/lib'
const JAVA_LIB = '/usr/share/java'
const NETTY = ['netty-codec.jar', 'netty-resolver.jar', 'netty-transport-native-unix-common.jar']
const POSTGRES_LIB = '/usr/lib/postgresql'
const POSTGRES_MIN = 15
/** Debian's own commands, whatever else a user's PATH may have before them. */
export const SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

export function findSoftware(): { software: Software | undefined; missing: readonly Missing[] } {
  const missing: Missing[] = []
  const rabbitMqHome = newest(RABBITMQ_LIB, /^rabbitmq_server-/)
  if (rabbitMqHome === undefined || !onPath('erl')) {
    missing.push({ packages: ['rabbitmq-server'], why: 'RabbitMQ carries reads and writes' })
  }
  // Netty's are needed for TLS, and not all of them named by the manifest.
  const zooKeeperJars = ['zookeeper.jar', 'slf4j-simple.jar', ...NETTY].map(jar =>
    join(JAVA_LIB, jar)
  )
  const java = onPath('java') ? [] : ['default-jre-headless']
  // The `zookeeper` package would bring a desktop's JRE, and a server that starts at boot.
  const library = zooKeeperJars.every(jar => existsSync(jar)) ? [] : ['libzookeeper-java']
  if (java.length + library.length > 0) {
    missing.push({ packages: [...library, ...java], why: 'ZooKeeper elects the master' })
  }
  const postgresBin = newestPostgres()
  if (postgresBin === undefined) {
    missing.push({ packages: ['postgresql'], why: 'each worker runs a PostgreSQL of its own' })
  }
  if (rabbitMqHome === undefined || postgresBin === undefined || missing.length > 0) {
    return { software: undefined, missing }
  }
  return { software: { rabbitMqHome, zooKeeperJars, postgresBin }, missing }
}

function newestPostgres(): string | undefined {
  const versions = entries(POSTGRES_LIB)
    .map(Number)
    .filter(version => version >= POSTGRES_MIN)
    .sort((a, b) => b - a)
  return versions
    .map(version => join(POSTGRES_LIB, `${version}`, 'bin'))
    .find(bin => existsSync(join(bin, 'initdb')))
}

function newest(dir: string, name: RegExp): string | undefined {
  const found = entries(dir).filter(entry => name.test(entry))
  const last = found.sort((a, b) => a.localeCompare(b, 'en', { numeric: true })).at(-1)
  return last && join(dir, last)
}

const entries = (dir: string): string[] => (existsSync(dir) ? readdirSync(dir) : [])

const onPath = (command: string): boolean =>
  SYSTEM_PATH.split(':').some(dir => existsSync(join(dir, command)))
