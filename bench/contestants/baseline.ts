/** fastify and pg in front of PostgreSQL, as a process of its own. */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findSoftware, SYSTEM_PATH } from '../../local/install/software.ts'
import { Ports } from '../../local/processes/ports.ts'
import { WatchedProcess } from '../../local/processes/watched.ts'
import type { Contestant } from './contestant.ts'

const READY_MS = 60_000
const GRACE_MS = 6_000
const MAIN = fileURLToPath(new URL('../baseline/main.ts', import.meta.url))

export async function openBaseline(options: {
  /** Synchronous ones, beside the primary. */
  readonly standbys: number
  readonly say: (line: string) => void
}): Promise<Contestant> {
  const { standbys, say } = options
  await using opened = new AsyncDisposableStack()
  const { software } = findSoftware()
  if (software === undefined) throw new Error('PostgreSQL is missing: run `npm test` first')
  const root = mkdtempSync(join(tmpdir(), 'convoy-baseline-'))
  // A PostgreSQL that was ended by force may write for a moment longer.
  opened.defer(() => rmSync(root, { recursive: true, force: true, maxRetries: 10 }))
  chmodSync(root, 0o711) // PostgreSQL's own account passes through.
  const port = await opened.use(new Ports()).take()
  const url = `http://127.0.0.1:${port}`
  const server = new WatchedProcess(
    {
      name: 'baseline',
      command: process.execPath,
      args: [MAIN],
      env: {
        PATH: SYSTEM_PATH,
        LANG: 'C.UTF-8',
        CONVOY_HTTP_PORT: String(port),
        BASELINE_STANDBYS: String(standbys),
        BASELINE_DIR: join(root, 'database'),
        BASELINE_POSTGRES_BIN: software.postgresBin
      },
      deathSignal: 'TERM',
      graceMs: GRACE_MS,
      ready: () => isReady(`${url}/readyz`)
    },
    { logsDir: join(root, 'logs'), pidsDir: join(root, 'pids'), cwd: root, say }
  )
  opened.defer(() => server.stop())
  await server.untilReady(READY_MS)
  const owned = opened.move()
  return {
    name: standbys === 0 ? 'baseline' : 'standbys',
    title:
      standbys === 0
        ? 'fastify and pg on one PostgreSQL'
        : `fastify and pg on a primary with ${standbys} synchronous standbys`,
    doors: { database: url, rides: url },
    // Standbys have what the primary has.
    below: async sql => {
      for (const text of sql) await write(url, text)
    },
    processes: async () => new Map(server.pid === undefined ? [] : [['baseline', server.pid]]),
    [Symbol.asyncDispose]: () => owned.disposeAsync()
  }
}

async function write(url: string, sql: string): Promise<void> {
  const answer = await fetch(`${url}/api/v1/db/write`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ statements: [{ sql }] })
  })
  if (!answer.ok) throw new Error(`the baseline answered ${answer.status}: ${await answer.text()}`)
}

const isReady = (url: string): Promise<boolean> =>
  fetch(url, { signal: AbortSignal.timeout(1_000) }).then(
    ({ ok }) => ok,
    () => false
  )
