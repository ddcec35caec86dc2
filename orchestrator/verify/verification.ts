/**
 * One verification: asks for part after part, lets the workers vote on each, and at the end
 * names those whose data is to be replaced (docs/decisions/verify-in-the-background.md).
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '../../platform/log.ts'
import type { ZooKeeper } from '../../platform/zookeeper.ts'
import type { Item, Part } from '../../wire/verify.ts'
import type { ClusterView } from '../cluster-view.ts'
import { NoSuchWorkerError } from '../errors.ts'
import { condemn } from '../wish.ts'
import { Asking, type AskingOptions, type Done } from './asking.ts'
import { Plan } from './plan.ts'
import { added, readVerified, type TableSum } from './verified.ts'
import { Findings, vote } from './vote.ts'

/** Of the time of one core, at each worker. */
const SHARE = 1 / 4
/** Read in one part; each is an index of its own transaction. */
const INDEXES = 20
/** Stands for the ids of workers that nobody knows. */
const ABSENT = 'absent'
/** For those that are wrong to leave the service. */
const ACTED_MS = 10_000

export interface VerificationOptions extends AskingOptions {
  readonly view: ClusterView
  readonly zookeeper: ZooKeeper
  readonly log: Logger
  /** Workers that are to run, the master included. */
  readonly wanted: () => number
  /** A worker whose data an operator calls right. */
  readonly trusted: string | null
}

export type Verdict = 'equal' | 'wrong' | 'undecided'

export interface Verified {
  /** Of the first part; each further one has an index of its own. */
  readonly index: number
  readonly tables: readonly TableSum[]
  readonly objects: Readonly<Record<string, number>>
  readonly workers: readonly {
    readonly id: string
    readonly pid: number
    readonly equal: boolean
    readonly verdict: Verdict
    readonly differing: readonly string[]
  }[]
  readonly leftOut: readonly { readonly id: string; readonly why: string }[]
  readonly skipped: readonly string[]
  readonly trusted: string | null
}

export class Verification {
  readonly #options: VerificationOptions
  readonly #asking: Asking
  readonly #findings = new Findings()
  readonly #pids: ReadonlyMap<string, number>
  readonly #items = new Map<string, Item>()
  readonly #skipped: string[] = []
  #plan = new Plan(new Map())
  #index: number | null = null
  #parts = 0

  /** @throws NoSuchWorkerError when the trusted worker is not one that can be asked */
  constructor(options: VerificationOptions) {
    this.#options = options
    const { state, workers } = options.view.now
    const able = (state?.inSync ?? []).filter(id => workers.get(id)?.diverged === false)
    this.#asking = new Asking(options, able)
    this.#pids = new Map([...workers].map(([id, { pid }]) => [id, pid]))
    const { trusted } = options
    if (trusted !== null && !able.includes(trusted)) {
      throw new NoSuchWorkerError(`${trusted} is not in sync, so it cannot be trusted`)
    }
    for (const id of new Set([...(state?.inSync ?? []), ...workers.keys()])) {
      if (able.includes(id)) continue
      const why = !workers.has(id) ? 'it is not registered' : 'it is not in sync, or has diverged'
      this.#asking.leftOut.set(id, why)
    }
    const absent = options.wanted() - able.length - this.#asking.leftOut.size
    if (absent > 0) this.#asking.leftOut.set(ABSENT, `${absent} of the wanted workers do not run`)
  }

  get progress() {
    return { parts: this.#parts, tablesLeft: this.#plan.left }
  }

  /** @throws ServiceError when the parts cannot be written */
  async run(): Promise<Verified> {
    await this.#part({ kind: 'log' })
    const schema = await this.#part({ kind: 'schema' })
    if (schema === null) this.#skipped.push('the schema')
    this.#plan = new Plan(sizesOf(schema ?? []))
    for (let ranges = this.#plan.next(); ranges !== null; ranges = this.#plan.next()) {
      await this.#rows(ranges)
    }
    const indexes = [...this.#items.values()].filter(({ kind }) => kind === 'index')
    for (let at = 0; at < indexes.length; at += INDEXES) {
      const names = indexes.slice(at, at + INDEXES).map(({ name }) => name)
      if ((await this.#part({ kind: 'indexes', names })) === null) this.#skipped.push(...names)
    }
    return this.#end()
  }

  async #rows(ranges: NonNullable<ReturnType<Plan['next']>>): Promise<void> {
    const asked = await this.#ask({ kind: 'rows', ranges })
    if (asked.kind === 'slow') return this.#plan.slow(ranges)
    if (asked.kind === 'changed') return this.#plan.skip(ranges)
    const { reports, tookMs } = asked
    const ends = Object.fromEntries(
      ranges.map(({ table }) => [table, this.#reference(reports, table)?.ends[table] ?? null])
    )
    this.#plan.done(ranges, { ends, tookMs })
  }

  /** One of those that are right about a table; else the one that is shown. */
  #reference(reports: ReadonlyMap<string, Done>, table: string): Done | undefined {
    const ballots = new Map(
      [...reports].map(([id, { items }]) => [id, items.filter(({ name }) => name === table)])
    )
    const { wrong } = vote(ballots, this.#by)
    const right = [...reports].filter(([id, { ends }]) => !wrong.has(id) && table in ends)
    const { preferred } = this.#by
    return new Map(right).get(preferred ?? '') ?? right[0]?.[1]
  }

  get #by() {
    const { trusted, view } = this.#options
    return { trusted, preferred: trusted ?? view.now.state?.master ?? null }
  }

  async #part(part: Part): Promise<readonly Done[] | null> {
    const asked = await this.#ask(part)
    return asked.kind === 'done' ? [...asked.reports.values()] : null
  }

  async #ask(part: Part) {
    const asked = await this.#asking.part(part)
    if (asked.kind !== 'done') return asked
    this.#index ??= asked.index
    this.#parts += 1
    const ballots = new Map([...asked.reports].map(([id, { items }]) => [id, items]))
    const tally = vote(ballots, this.#by)
    this.#findings.add(tally)
    for (const item of tally.items) this.#keep(item)
    const tookMs = Math.max(0, ...[...asked.reports.values()].map(({ tookMs }) => tookMs))
    // What is looked at outside of snapshots is paced by the worker itself.
    if (part.kind === 'rows' || part.kind === 'schema') await sleep(tookMs * (1 / SHARE - 1))
    return { ...asked, tookMs }
  }

  /** Row counts and checksums of ranges add up. */
  #keep(item: Item): void {
    const key = `${item.kind} ${item.name}`
    const before = this.#items.get(key)
    const isFurther = before !== undefined && item.kind === 'rows'
    const kept = isFurther ? { ...before, ...added(rowSumOf(before), rowSumOf(item)) } : item
    this.#items.set(key, kept)
  }

  async #end(): Promise<Verified> {
    const { trusted, view, zookeeper, log } = this.#options
    const compared = this.#asking.workers
    const wrong = this.#findings.verdict({ compared, trusted })
    if (wrong.size > 0) {
      log.error(
        { wrong: Object.fromEntries(wrong), trusted },
        'workers have other data than the rest'
      )
      const isThere = (id: string) =>
        view.now.workers.has(id) || view.now.state?.inSync.includes(id) === true
      await condemn(zookeeper, wrong, isThere)
      const isOut = ([id]: [string, string]) => view.now.workers.get(id)?.diverged !== false
      const acted = { what: 'wrong workers to leave the service', ms: ACTED_MS }
      await view.until(() => [...wrong].every(isOut), acted).catch(() => undefined)
    }
    const { tables, objects } = readVerified([...this.#items.values()])
    const skipped = [...this.#plan.skipped, ...this.#skipped]
    const leftOut = [...this.#asking.leftOut].map(([id, why]) => ({ id, why }))
    const told = new Set(
      [...compared, ...leftOut.map(({ id }) => id)].filter(id => this.#isTold(id))
    )
    const workers = [...told].map(id => this.#workerOf(id, wrong.has(id)))
    return { index: this.#index ?? 0, tables, objects, workers, leftOut, skipped, trusted }
  }

  /** A worker that was left out may have differed before. */
  #isTold(id: string): boolean {
    return this.#asking.workers.includes(id) || this.#findings.of(id).length > 0
  }

  #workerOf(id: string, isWrong: boolean): Verified['workers'][number] {
    const differing = this.#findings.of(id)
    const equal = differing.length === 0
    const verdict = isWrong
      ? 'wrong'
      : equal || id === this.#options.trusted
        ? 'equal'
        : 'undecided'
    return { id, pid: this.#pids.get(id) ?? 0, equal: equal && !isWrong, verdict, differing }
  }
}

function sizesOf(reports: readonly Done[]): Map<string, number> {
  const sizes = new Map<string, number>()
  for (const { tables } of reports) {
    for (const { name, bytes } of tables) sizes.set(name, Math.max(bytes, sizes.get(name) ?? 0))
  }
  return sizes
}

const rowSumOf = ({ rows, sum }: Item) => ({ rows: rows ?? '0', sum: sum ?? '' })
