/**
 * A whole system that speaks nothing but TLS, with tokens by role: it serves, survives its
 * master, clones a new replica, lets nobody in who does not speak TLS, and keeps its secrets
 * out of its logs.
 */
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as connectTls, rootCertificates } from 'node:tls'
import { promisify } from 'node:util'
import t from 'tap'
import { keyAndCertificateOf, makeCertificates } from '../../local/certificates.ts'
import { findSoftware } from '../../local/install/software.ts'
import { openLog } from '../../platform/log.ts'
import { openZooKeeper } from '../../platform/zookeeper.ts'
import { startCluster } from '../../testing/cluster/cluster.ts'
import { call, newName, PASSWORD } from '../../testing/convoy.ts'
import { until } from '../../testing/wait.ts'
import { parseNode, WORKERS, type WorkerNode } from '../../wire/znodes.ts'

const TOKENS = {
  CONVOY_TOKEN_READ: 'a-token-that-may-read',
  CONVOY_TOKEN_WRITE: 'a-token-that-may-write',
  CONVOY_TOKEN_ADMIN: 'a-token-that-may-all'
}
const REFUSED_WITHIN_MS = 5_000
const run = promisify(execFile)

const cluster = await startCluster(t, {
  workers: 3,
  tls: true,
  settings: { ...TOKENS, CONVOY_LOG_LEVEL: 'debug' }
})
const { addresses, settingsFile } = cluster.run
const settings = JSON.parse(readFileSync(settingsFile, 'utf8')) as Record<string, string>

async function ride(): Promise<void> {
  const username = newName()
  const body = { username, password: PASSWORD }
  t.equal((await call(`PUT ${addresses.lb}/api/v1/users`, { body })).status, 201)
  const trip = {
    ...{ created_by: username, timestamp: '01-01-2090:00-00-10' },
    ...{ source: 1, destination: 2 }
  }
  const made = await call(`POST ${addresses.lb}/api/v1/rides`, { body: trip })
  t.equal(made.status, 201)
  t.match((await call(`GET ${addresses.lb}${made.headers['location']}`)).body, {
    Created_by: username
  })
}

t.test('a ride is made through lb, and all addresses are https', async t => {
  for (const url of Object.values(addresses)) t.match(url, /^https:/)
  t.match(settings['CONVOY_AMQP_URL'], /^amqps:/)
  await ride()
})

t.test('a killed master is followed by another, and replaced by a clone over TLS', async () => {
  const { term } = await cluster.now()
  const pids = await cluster.kill('master')
  await cluster.untilTerm(term + 1)
  await ride()
  await cluster.healed(pids)
  await ride()
})

/** What a server says to one who does not speak TLS, until it ends the connection. */
function saidTo(port: number, text: string): Promise<string> {
  return new Promise(resolve => {
    let said = ''
    const socket = connect({ port, host: '127.0.0.1' }, () => socket.write(text, 'latin1'))
    socket.setTimeout(REFUSED_WITHIN_MS, () => socket.destroy())
    socket.on('data', chunk => {
      said += chunk.toString('latin1')
    })
    socket.on('error', () => {}).on('close', () => resolve(said))
  })
}

t.test('no port answers a plain connection', async t => {
  const ports = Object.entries(addresses).map(([name, url]) => [name, Number(new URL(url).port)])
  for (const [name, port] of ports as [string, number][]) {
    t.equal(await saidTo(port, 'GET /livez HTTP/1.1\r\nhost: x\r\n\r\n'), '', name)
  }
  const amqp = Number(new URL(settings['CONVOY_AMQP_URL'] ?? '').port)
  t.notMatch(await saidTo(amqp, 'AMQP\0\0\x09\x01'), /capabilities|RabbitMQ|AMQP/, 'RabbitMQ')
  const zookeeper = Number(settings['CONVOY_ZOOKEEPER']?.split(':')[1])
  t.notMatch(await saidTo(zookeeper, 'srvr'), /Mode/, 'ZooKeeper')
})

/** What a server says over TLS to one who shows this certificate, or none. */
function saidSecurely(
  port: number,
  { text, shown = {} }: { text: string; shown?: { cert?: string; key?: string } }
): Promise<string> {
  return new Promise(resolve => {
    let said = ''
    const ca = readFileSync(join(cluster.folder.tls, 'ca.pem'), 'utf8')
    const to = { port, host: '127.0.0.1', ca, ...shown }
    const socket = connectTls(to, () => socket.write(text, 'latin1'))
    socket.setTimeout(REFUSED_WITHIN_MS, () => socket.destroy())
    socket.on('data', chunk => {
      said += chunk.toString('latin1')
      socket.destroy()
    })
    socket.on('error', () => {}).on('close', () => resolve(said))
  })
}

t.test('RabbitMQ and ZooKeeper answer nobody without a certificate of the CA', async t => {
  const { tls } = cluster.folder
  const own = {
    cert: readFileSync(join(tls, 'cert.pem'), 'utf8'),
    key: readFileSync(join(tls, 'key.pem'), 'utf8')
  }
  const dir = mkdtempSync(join(tmpdir(), 'convoy-'))
  t.teardown(() => rmSync(dir, { recursive: true }))
  const foreign = keyAndCertificateOf(makeCertificates(join(dir, 'tls')))
  const servers = [
    {
      name: 'RabbitMQ',
      port: Number(new URL(settings['CONVOY_AMQP_URL'] ?? '').port),
      text: 'AMQP\0\0\x09\x01',
      answer: /capabilities/
    },
    {
      name: 'ZooKeeper',
      port: Number(settings['CONVOY_ZOOKEEPER']?.split(':')[1]),
      text: 'srvr',
      answer: /Mode/
    }
  ]
  for (const { name, port, text, answer } of servers) {
    t.match(await saidSecurely(port, { text, shown: own }), answer, `${name}, with it`)
    t.equal(await saidSecurely(port, { text }), '', `${name}, without`)
    t.equal(await saidSecurely(port, { text, shown: foreign }), '', `${name}, with another CA's`)
  }
})

t.test("a worker's PostgreSQL gives no copy over a plain connection", async t => {
  const zookeeper = await openZooKeeper({
    hosts: settings['CONVOY_ZOOKEEPER'] ?? '',
    tls: true,
    auth: settings['CONVOY_ZOOKEEPER_AUTH'] ?? '',
    cluster: settings['CONVOY_CLUSTER'] ?? '',
    sessionTimeoutMs: 4_000,
    log: openLog({ service: 'test', level: 'silent' })
  })
  t.teardown(() => zookeeper[Symbol.asyncDispose]())
  const { postgresBin = '' } = findSoftware().software ?? {}
  for (const id of await zookeeper.children(WORKERS)) {
    const node = parseNode<WorkerNode>((await zookeeper.read(`${WORKERS}/${id}`))?.data ?? '')
    const { host, port } = node?.clone ?? { host: '', port: 0 }
    const to = `host=${host} port=${port} user=convoy_clone replication=true sslmode=`
    const psql = (mode: string) =>
      run(join(postgresBin, 'psql'), ['-w', '-c', 'IDENTIFY_SYSTEM', to + mode]).then(
        () => 'let in',
        (err: { stderr: string }) => err.stderr
      )
    t.match(await psql('disable'), /no encryption/)
    t.match(await psql('require'), /no password supplied/)
  }
})

t.test('whoever believes other CAs does not believe these servers', async t => {
  const port = Number(new URL(addresses.lb).port)
  const socket = connectTls({ port, host: '127.0.0.1', ca: [...rootCertificates] })
  await t.rejects(once(socket, 'secureConnect'), { code: /UNABLE_TO|SELF_SIGNED/ })
})

t.test('roles hold over TLS, and admin calls are in the log of the orchestrator', async t => {
  const ask = (token: string) =>
    call(`PUT ${cluster.url}/api/v1/cluster/replicas`, {
      body: { count: 2 },
      headers: { authorization: `Bearer ${token}` }
    })
  t.match(await ask(TOKENS.CONVOY_TOKEN_WRITE), { status: 403, body: { code: 'CONVOY_FORBIDDEN' } })
  t.match(await ask(TOKENS.CONVOY_TOKEN_ADMIN), { status: 200 })
  await until('the audit lines', { withinMs: 5_000 }, async () => {
    const lines = readFileSync(join(cluster.run.logsDir, 'orchestrator.log'), 'utf8').split('\n')
    const audited = lines
      .filter(line => line.includes('"audit":true'))
      .map(line => JSON.parse(line))
    const has = (code: number) => audited.some(({ status }) => status === code)
    return (has(403) && has(200)) || undefined
  })
})

t.test('no log of the system holds a token, a password or a key', async t => {
  const { secretsFile, tls, logs, workers } = cluster.folder
  const secrets = [
    ...Object.values(JSON.parse(readFileSync(secretsFile, 'utf8')) as Record<string, string>),
    ...Object.values(TOKENS),
    PASSWORD,
    readFileSync(join(tls, 'key.pem'), 'utf8').split('\n')[1] ?? ''
  ]
  const files = [logs, workers].flatMap(dir =>
    readdirSync(dir, { encoding: 'utf8', recursive: true })
      .filter(name => name.endsWith('.log') && !name.includes('/data/'))
      .map(name => join(dir, name))
  )
  t.ok(files.length >= 6, `${files.length} logs`)
  for (const file of files) {
    const text = readFileSync(file, 'utf8')
    t.notOk(
      secrets.some(secret => text.includes(secret)),
      file.slice(cluster.folder.root.length)
    )
  }
  for (const name of readdirSync(tls)) t.equal(statSync(join(tls, name)).mode & 0o077, 0, name)
  t.strictSame(readdirSync(tls).sort(), ['ca.pem', 'cert.pem', 'key.pem'], "the CA's key is gone")
})
