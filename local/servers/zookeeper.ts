/**
 * A private ZooKeeper: one server on loopback, from Debian's Java library. Its data
 * is the cluster's truth about who leads, so it is kept from run to run.
 */
import { copyFile, mkdir, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { type Certificates, keyAndCertificate, keyAndCertificateOf } from '../certificates.ts'
import type { ProcessSpec } from '../processes/watched.ts'

export interface ZooKeeperOptions {
  readonly dir: string
  readonly port: number
  /** `zookeeper.jar`, whose manifest names the others, and a logger for it. */
  readonly jars: readonly string[]
  readonly runAs: string | undefined
  /** Only TLS is taken then. */
  readonly certificates?: Certificates | undefined
}

/** Sessions end at a tick: how late a silent death may be noticed at most. */
const TICK_MS = 100
const SESSION_MIN_MS = 400
const SESSION_MAX_MS = 60_000
const PROBE_TIMEOUT_MS = 1_000
/**
 * Bounds on what a local attacker can make the server hold: each connection may send a request of
 * one packet before it is known who it is, and all of them together fit into half of the heap.
 */
const PACKET_BYTES = 128 * 1024
const CONNECTIONS_MAX = 400
const CONNECTIONS_OF_ADDRESS_MAX = 200

/** Writes the configuration; the folder must belong to the user it runs as. */
export async function zooKeeper(options: ZooKeeperOptions): Promise<ProcessSpec> {
  const { dir, jars, certificates } = options
  await mkdir(join(dir, 'data'), { recursive: true })
  await writeFile(join(dir, 'zoo.cfg'), configuration(options))
  if (certificates !== undefined) {
    const pem = keyAndCertificate(certificates)
    await writeFile(join(dir, 'server.pem'), pem, { mode: 0o600 })
    await copyFile(certificates.ca, join(dir, 'ca.pem'))
  }
  const quick = ['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-XX:-UsePerfData']
  const bounded = [
    '-Xmx96m',
    '-XX:+ExitOnOutOfMemoryError', // It is started again; without memory it would answer nobody.
    `-Djute.maxbuffer=${PACKET_BYTES}`
  ]
  return {
    name: 'zookeeper',
    command: 'java',
    args: [
      ...quick,
      ...bounded,
      '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
      '-Dorg.slf4j.simpleLogger.showDateTime=true',
      ...['-cp', jars.join(':'), 'org.apache.zookeeper.server.quorum.QuorumPeerMain'],
      join(dir, 'zoo.cfg')
    ],
    env: { PATH: '/usr/bin:/bin', LANG: 'C.UTF-8', HOME: dir },
    user: options.runAs,
    deathSignal: 'TERM',
    graceMs: 1_500,
    ready: () => serves(options),
    advice: said => (isDamaged(said) ? adviceFor(join(dir, 'data')) : null),
    mustAnswer: true
  }
}

/**
 * It ends while it loads, with whatever error came of what it read. What a crash left half written at
 * the end of its log it repairs by itself. A full disk and wrong rights show there too.
 */
const isDamaged = (said: string): boolean =>
  /Unable to load database on disk|No valid snapshot|ZooKeeperServer\.loadData/.test(said) &&
  !/No space left|[Pp]ermission denied|AccessDenied/.test(said)

const adviceFor = (data: string): string =>
  [
    `ZooKeeper cannot read its data in ${data}: it is damaged.`,
    'It holds which workers count as in sync, and what was set with `convoy` on the running system. It holds no rows.',
    'Do not remove any data of workers. Either put a copy of that folder back, if you have one, and start again:',
    'nothing is lost then. Or begin with an empty one, and say with which workers to go on:',
    '',
    `  mv ${data} ${data}.damaged`,
    '  npm start            # the workers keep their data and wait',
    '  npm run recover      # shows where the log of each worker ends, and how to go on with the longest',
    '',
    'That loses no acknowledged write as long as one of the workers that were in sync is among those that start.',
    'Settings of the running system (replicas, policy, frozen workers) have to be set again.'
  ].join('\n')

const configuration = (options: ZooKeeperOptions) => `dataDir=${join(options.dir, 'data')}
${listener(options)}tickTime=${TICK_MS}
minSessionTimeout=${SESSION_MIN_MS}
maxSessionTimeout=${SESSION_MAX_MS}
maxClientCnxns=${CONNECTIONS_OF_ADDRESS_MAX}
maxCnxns=${CONNECTIONS_MAX}
enforce.auth.enabled=true
enforce.auth.schemes=digest
admin.enableServer=false
4lw.commands.whitelist=srvr
autopurge.snapRetainCount=3
autopurge.purgeInterval=1
`

/** ZooKeeper speaks TLS only through Netty. */
const listener = ({ dir, port, certificates }: ZooKeeperOptions): string =>
  certificates === undefined
    ? `clientPort=${port}\nclientPortAddress=127.0.0.1\n`
    : `secureClientPort=${port}
secureClientPortAddress=127.0.0.1
serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory
ssl.keyStore.location=${join(dir, 'server.pem')}
ssl.keyStore.type=PEM
ssl.trustStore.location=${join(dir, 'ca.pem')}
ssl.trustStore.type=PEM
ssl.clientAuth=need
ssl.enabledProtocols=TLSv1.3,TLSv1.2
`

/** The port is open before the data is loaded; `srvr` tells the difference. */
function serves({ port, certificates }: ZooKeeperOptions): Promise<boolean> {
  return new Promise(resolve => {
    let answer = ''
    const shown = certificates && keyAndCertificateOf(certificates)
    const to = { port, host: '127.0.0.1', timeout: PROBE_TIMEOUT_MS }
    const socket = certificates === undefined ? connect(to) : connectTls({ ...to, ...shown })
    socket.on(certificates === undefined ? 'connect' : 'secureConnect', () => socket.write('srvr'))
    socket.on('data', chunk => {
      answer += chunk
    })
    socket.on('timeout', () => socket.destroy()).on('error', () => socket.destroy())
    socket.on('close', () => resolve(answer.includes('Mode: standalone')))
  })
}
