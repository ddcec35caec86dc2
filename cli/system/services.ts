/**
 * Starts the two servers that every part of Convoy talks through, RabbitMQ and
 * ZooKeeper, for `npm start` and for tests alike.
 */
import { vhostOf } from '../../platform/wire/queues.ts'
import type { Software } from '../machine/software.ts'
import type { Ports } from '../processes/ports.ts'
import { type Surroundings, WatchedProcess } from '../processes/watched.ts'
import { amqpUrl, rabbitMq } from '../services/rabbitmq.ts'
import { zooKeeper } from '../services/zookeeper.ts'
import { type Folder, giveTo } from './folder.ts'
import type { Secrets } from './secrets.ts'

/** What a Convoy process needs to find them, named as in its settings. */
export interface ServiceAddresses {
  readonly CONVOY_CLUSTER: string
  readonly CONVOY_AMQP_URL: string
  readonly CONVOY_ZOOKEEPER: string
  readonly CONVOY_ZOOKEEPER_AUTH: string
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
  readonly around: Surroundings
}

const ACCOUNT = 'convoy'
/** Debian makes no user for ZooKeeper's library: as root, the broker's user runs both. */
const RUN_AS = 'rabbitmq'

/** Returns once both are started, which is not yet ready. */
export async function startServices(options: ServiceOptions): Promise<Services> {
  const { cluster, folder, secrets, ports, around } = options
  const amqp = {
    port: await ports.take(),
    vhost: vhostOf(cluster),
    user: ACCOUNT,
    password: secrets.amqpPassword
  }
  const zooKeeperPort = await ports.take()
  const runAs = process.getuid?.() === 0 ? RUN_AS : undefined
  const specs = [
    await rabbitMq({ ...amqp, dir: folder.rabbitMq, home: options.software.rabbitMqHome, runAs }),
    await zooKeeper({
      dir: folder.zooKeeper,
      port: zooKeeperPort,
      jars: options.software.zooKeeperJars,
      runAs
    })
  ]
  if (runAs !== undefined) {
    for (const dir of [folder.rabbitMq, folder.zooKeeper]) giveTo(runAs, dir)
  }
  return {
    addresses: {
      CONVOY_CLUSTER: cluster,
      CONVOY_AMQP_URL: amqpUrl(amqp),
      CONVOY_ZOOKEEPER: `127.0.0.1:${zooKeeperPort}`,
      CONVOY_ZOOKEEPER_AUTH: `${ACCOUNT}:${secrets.zooKeeperPassword}`
    },
    processes: specs.map(spec => new WatchedProcess(spec, around))
  }
}
