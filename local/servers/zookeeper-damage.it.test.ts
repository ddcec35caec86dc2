/**
 * A ZooKeeper whose data is damaged: whoever starts the system is told what to do.
 */
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { openZooKeeper } from '../../platform/zookeeper.ts'
import { giveTo, openFolder } from '../folder.ts'
import { findSoftware } from '../install/software.ts'
import { Ports } from '../processes/ports.ts'
import { WatchedProcess } from '../processes/watched.ts'
import { zooKeeper } from './zookeeper.ts'

const READY_MS = 60_000
const runAs = process.getuid?.() === 0 ? 'rabbitmq' : undefined

const { software } = findSoftware()
if (software === undefined) throw new Error('run `npm test`: it brings the servers needed')

/** With a node in it, and stopped. */
async function filled(t: Test) {
  const folder = openFolder(mkdtempSync(join(tmpdir(), 'convoy-')), undefined)
  t.teardown(() => folder.remove())
  await using ports = new Ports()
  const dir = folder.zooKeeper
  mkdirSync(dir, { recursive: true })
  const jars = software?.zooKeeperJars ?? []
  const port = await ports.take()
  const spec = await zooKeeper({ dir, port, jars, runAs })
  if (runAs !== undefined) giveTo(runAs, dir)
  const around = { logsDir: folder.logs, pidsDir: folder.pids, cwd: folder.root, say: () => {} }
  const start = () => new WatchedProcess(spec, around)
  const first = start()
  await first.untilReady(READY_MS)
  const client = await openZooKeeper({
    hosts: `127.0.0.1:${port}`,
    ...{ auth: 'a:b', cluster: 'c', sessionTimeoutMs: 4_000, log: pino({ level: 'silent' }) }
  })
  await client.create('/state', 'x'.repeat(1_000))
  await client[Symbol.asyncDispose]()
  await first.stop()
  return { start, data: join(dir, 'data') }
}

/**
 * Bytes in each file whose name begins so, as a bad disk leaves them. In a log they lie within one
 * transaction: where its length is damaged, ZooKeeper takes it for the end, and forgets what follows.
 */
function damage(data: string, prefix: string): number {
  const dir = join(data, 'version-2')
  const files = readdirSync(dir).filter(name => name.startsWith(prefix))
  for (const name of files) {
    const bytes = readFileSync(join(dir, name))
    const at = prefix === 'log' ? bytes.indexOf('x'.repeat(500)) : Math.floor(bytes.length / 4)
    bytes.fill(0xa5, at, prefix === 'log' ? at + 400 : bytes.length)
    writeFileSync(join(dir, name), bytes)
  }
  return files.length
}

for (const prefix of ['snapshot', 'log']) {
  await t.test(`a damaged ${prefix}: the message says what to do and what it costs`, async t => {
    const { start, data } = await filled(t)
    t.ok(damage(data, prefix) > 0)
    const damaged = start()
    const failed = await damaged.untilReady(READY_MS).then(
      () => null,
      (err: Error) => err.message
    )
    await damaged.stop()
    t.match(failed, `mv ${data} ${data}.damaged`)
    t.match(failed, 'npm run recover')
    t.match(failed, /loses no acknowledged write/)
    renameSync(data, `${data}.damaged`)
    mkdirSync(data)
    if (runAs !== undefined) giveTo(runAs, data)
    const again = start()
    await again.untilReady(READY_MS)
    await again.stop()
    t.pass('as told, it starts')
  })
}
