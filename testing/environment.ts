/**
 * Real servers for tests, started by the same code as `npm start`, each test file
 * with its own folder and ports. Disposing stops them and removes the folder.
 */
import { randomBytes } from 'node:crypto'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as convoy from '../local/convoy.ts'
import { openFolder } from '../local/folder.ts'
import { findSoftware, type Software } from '../local/install/software.ts'
import { Ports } from '../local/processes/ports.ts'
import { keptSecrets } from '../local/secrets.ts'
import * as system from '../local/services.ts'

const READY_MS = 120_000

export interface TestServices extends AsyncDisposable, system.ServiceAddresses {
  /** As an accident would; the server is started again with the same address and data. */
  kill(name: 'rabbitmq' | 'zookeeper', signal?: NodeJS.Signals): void
  /** Resolves when both servers answer. */
  ready(): Promise<void>
}

/** A RabbitMQ and a ZooKeeper of this test's own, ready, with their addresses as settings. */
export async function startServices(): Promise<TestServices> {
  await using opened = new AsyncDisposableStack()
  const ports = opened.use(new Ports())
  const folder = openFolder(mkdtempSync(join(tmpdir(), 'convoy-')), undefined)
  opened.defer(() => folder.remove())
  const { addresses, processes } = await system.startServices({
    cluster: `test-${randomBytes(3).toString('hex')}`,
    software: installedSoftware(),
    folder,
    secrets: keptSecrets(folder.secretsFile),
    ports,
    around: { logsDir: folder.logs, pidsDir: folder.pids, cwd: folder.root, say: () => {} }
  })
  opened.defer(async () => {
    await Promise.all(processes.map(watched => watched.stop()))
  })
  const ready = async () => {
    await Promise.all(processes.map(watched => watched.untilReady(READY_MS)))
  }
  await ready()
  const owned = opened.move()
  return {
    ...addresses,
    ready,
    kill(name, signal = 'SIGKILL') {
      for (const watched of processes) if (watched.spec.name === name) watched.kill(signal)
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync()
  }
}

export interface TestConvoyOptions {
  /** Workers beside the master. */
  readonly replicas?: number
  /** 1 unless told. */
  readonly orchestrators?: number
  readonly token?: string
  /** Settings for every process, as in the `config.ts` files. */
  readonly settings?: Readonly<Record<string, string>>
  /** What the watcher says: which process ended and is started again. */
  readonly say?: (line: string) => void
}

export interface TestConvoy extends convoy.Convoy, AsyncDisposable {}

/** A whole system of this test's own, ready, on free ports. */
export async function startConvoy(options: TestConvoyOptions = {}): Promise<TestConvoy> {
  await using opened = new AsyncDisposableStack()
  const folder = openFolder(mkdtempSync(join(tmpdir(), 'convoy-')), undefined)
  opened.defer(() => folder.remove())
  const started = await convoy.startConvoy({
    folder,
    software: installedSoftware(),
    cluster: `test-${randomBytes(3).toString('hex')}`,
    ports: {},
    replicas: options.replicas ?? 2,
    orchestrators: options.orchestrators ?? 1,
    fresh: false,
    settings: { ...options.settings, ...(options.token && { CONVOY_TOKEN: options.token }) },
    postgresUser: 'postgres',
    readyMs: READY_MS,
    say: options.say ?? (() => {})
  })
  opened.defer(() => started.stop())
  const owned = opened.move()
  return { ...started, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

function installedSoftware(): Software {
  const { software } = findSoftware()
  if (!software) throw new Error('RabbitMQ, ZooKeeper or PostgreSQL is missing: run `npm test`')
  return software
}
