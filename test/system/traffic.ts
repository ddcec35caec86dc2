/**
 * Clients of everything at once: reads and writes at an orchestrator, rides through lb,
 * all the time. Each failure is remembered with its operation and code, for a test that
 * changes something meanwhile and knows which failures it wanted.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import type { Cluster } from '../../testing/cluster/cluster.ts'
import { tryWrite, write } from '../../testing/cluster/database.ts'
import { type Answer, call, newName, PASSWORD } from '../../testing/convoy.ts'
import { until } from '../../testing/wait.ts'

const CLIENTS_EACH = 3
const EVERY_MS = 60
const GOING_MS = 30_000

export type Operation = 'db.write' | 'db.read' | 'rides.create' | 'rides.find' | 'rides.list'

interface Failure {
  readonly operation: Operation
  readonly status: number
  readonly code: string
}

export class Traffic {
  readonly #cluster: Cluster
  readonly #clients: Promise<void>[]
  readonly #failures: Failure[] = []
  readonly #answered = new Map<Operation, number>()
  #username = ''
  #rides = 1
  #stopped = false

  private constructor(cluster: Cluster, username: string) {
    this.#cluster = cluster
    this.#username = username
    const operations = Object.keys(this.#requests) as Operation[]
    this.#clients = operations.flatMap(operation =>
      Array.from({ length: CLIENTS_EACH }, () => this.#run(operation))
    )
  }

  /** Returns when all goes on. It ends with `t` at the latest. */
  static async start(t: Test, cluster: Cluster): Promise<Traffic> {
    const body = { username: newName(), password: PASSWORD }
    await call(`PUT ${cluster.lbUrl}/api/v1/users`, { body })
    await write(cluster, {
      sql: 'create table traffic (id bigint generated always as identity primary key)'
    })
    const traffic = new Traffic(cluster, body.username)
    t.teardown(() => traffic.stop())
    await traffic.more(CLIENTS_EACH)
    return traffic
  }

  /** Resolves when each operation, but for those named, was answered well `count` times more. */
  async more(count: number, ...except: Operation[]): Promise<void> {
    const wanted = (Object.keys(this.#requests) as Operation[])
      .filter(operation => !except.includes(operation))
      .map(operation => [operation, this.#count(operation) + count] as const)
    await until(`${count} more of each`, { withinMs: GOING_MS }, () =>
      wanted.every(([operation, until]) => this.#count(operation) >= until) ? true : undefined
    )
  }

  /** @returns what has failed so far, and forgets it */
  failures(): string[] {
    const told = this.#failures.splice(0).map(one => `${one.operation} ${one.status} ${one.code}`)
    return [...new Set(told)].sort()
  }

  async stop(): Promise<Readonly<Record<string, number>>> {
    this.#stopped = true
    await Promise.all(this.#clients)
    return Object.fromEntries(this.#answered)
  }

  readonly #count = (operation: Operation) => this.#answered.get(operation) ?? 0

  get #requests(): Record<Operation, () => Promise<Answer>> {
    const { url, lbUrl } = this.#cluster
    const rides = `${lbUrl}/api/v1/rides`
    const ride = { timestamp: '31-12-2030:00-30-09', source: 1, destination: 42 }
    // Never the same twice, so that no cache answers it.
    const read = { sql: 'select $1::text as mark, count(*) from traffic where id < 5' }
    return {
      'db.write': () => tryWrite(this.#cluster, [{ sql: 'insert into traffic default values' }]),
      'db.read': () =>
        call(`POST ${url}/api/v1/db/read`, { body: { ...read, params: [newName('mark')] } }),
      'rides.create': () =>
        call(`POST ${rides}`, { body: { ...ride, created_by: this.#username } }),
      'rides.find': () => call(`GET ${rides}/${1 + (this.#rides++ % 5)}`),
      'rides.list': () => call(`GET ${rides}?source=1&destination=42`)
    }
  }

  async #run(operation: Operation): Promise<void> {
    const request = this.#requests[operation]
    while (!this.#stopped) {
      const { status, body } = await request().catch((err: unknown) => {
        return { status: 0, body: { code: String(err) } }
      })
      if (status >= 200 && status < 300) this.#answered.set(operation, this.#count(operation) + 1)
      else this.#failures.push({ operation, status, code: (body as { code: string }).code })
      await sleep(EVERY_MS)
    }
  }
}
