/**
 * Starts the two servers that every part of Convoy talks through, RabbitMQ and
 * ZooKeeper, for `npm start` and for tests alike.
 */
import { vhostOf } from '../wire/queues.ts'
import type { Certificates } from './certificates.ts'
import { type Folder, giveTo } from './folder.ts'
import type { Software } from './install/software.ts'
import type { Ports } from './processes/ports.ts'
import { type Surroundings, WatchedProcess } from './processes/watched.ts'
import type { Secrets } from './secrets.ts'
import { amqpUrl, rabbitMq } from './servers/rabbitmq.ts'
import { zooKeeper } from './servers/zookeeper.ts'

/** What a Convoy process needs to find them, named as in its settings. */
export interface ServiceAddresses {
  readonly CONVOY_CLUSTER: string
  readonly CONVOY_AMQP_URL: string
  readonly CONVOY_ZOOKEEPER: string
  readonly CONVOY_ZOOKEEPER_AUTH: string
  readonly CONVOY_ZOOKEEPER_TLS?: 'true'
  readonly CONVOY_TLS_CA?: string
  readonly CONVOY_TLS_CERT?: string
  readonly CONVOY_TLS_KEY?: string
}

export interface Services {
  readonly addresses: ServiceAddresses
  readonly processes: readonly WatchedProcess[]
}

export interface ServiceOptions {
  readonly cluster: string
  readonly software: Software
  readonly folder: Folder
  readonly secrets: Secrets
  readonly ports: Ports
  /** All of the system speaks TLS then. */
  readonly certificates?: Certificates | undefined
  /** Further arguments of RabbitMQ's `erl`: a test's own. */
  readonly brokerArgs?: readonly string[]
  readonly around: Surroundings
}

const ACCOUNT = 'convoy'
/** Debian makes no user for ZooKeeper's library: as root, the broker's user runs both. */
const RUN_AS = 'rabbitmq'

/** Returns once both are started, which is not yet ready. */
export async function startServices(options: ServiceOptions): Promise<Services> {
  const { cluster, folder, secrets, ports, around, software, certificates } = options
  const amqp = {
    port: await ports.take(),
    vhost: vhostOf(cluster),
    user: ACCOUNT,
    password: secrets.amqpPassword,
    certificates
  }
  const dir = folder.rabbitMq
  const runAs = runningAs()
  const { rabbitMqHome: home } = software
  const broker = await rabbitMq({ ...amqp, dir, home, runAs, args: options.brokerArgs ?? [] })
  if (runAs !== undefined) giveTo(runAs, dir)
  const zooKeeper = await startZooKeeper(options)
  return {
    addresses: { CONVOY_CLUSTER: cluster, CONVOY_AMQP_URL: amqpUrl(amqp), ...zooKeeper.addresses },
    processes: [new WatchedProcess(broker, around), zooKeeper.process]
  }
}

export interface StartedZooKeeper {
  readonly addresses: Omit<ServiceAddresses, 'CONVOY_CLUSTER' | 'CONVOY_AMQP_URL'>
  readonly process: WatchedProcess
}

/** ZooKeeper alone. */
export async function startZooKeeper(options: ServiceOptions): Promise<StartedZooKeeper> {
  const { folder, secrets, ports, around, software, certificates } = options
  const port = await ports.take()
  const dir = folder.zooKeeper
  const runAs = runningAs()
  const spec = await zooKeeper({ dir, port, jars: software.zooKeeperJars, runAs, certificates })
  if (runAs !== undefined) giveTo(runAs, dir)
  return {
    addresses: {
      CONVOY_ZOOKEEPER: `127.0.0.1:${port}`,
      CONVOY_ZOOKEEPER_AUTH: `${ACCOUNT}:${secrets.zooKeeperPassword}`,
      ...(certificates && {
        CONVOY_ZOOKEEPER_TLS: 'true',
        CONVOY_TLS_CA: certificates.ca,
        CONVOY_TLS_CERT: certificates.cert,
        CONVOY_TLS_KEY: certificates.key
      })
    },
    process: new WatchedProcess(spec, around)
  }
}

const runningAs = () => (process.getuid?.() === 0 ? RUN_AS : undefined)
