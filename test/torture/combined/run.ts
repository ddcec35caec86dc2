/**
 * One run: a system of its own, clients of several sorts, and rounds of two or three faults
 * at once. A round is over when all of its faults are; the next one begins when the system
 * is whole again, which has a bound. In the end everything is judged.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { longestGapMs } from '../../../testing/clients/gaps.ts'
import { Cluster } from '../../../testing/cluster/cluster.ts'
import { bearerOf } from '../../../testing/cluster/database.ts'
import { levelPlaces, rowsIn } from '../../../testing/cluster/databases.ts'
import { keepLogs } from '../../../testing/evidence.ts'
import { Clocks } from '../../../testing/faults/clocks.ts'
import { Disk } from '../../../testing/faults/disk.ts'
import { Dice } from '../../../testing/random.ts'
import { until } from '../../../testing/wait.ts'
import { Clients } from '../clients.ts'
import { Timeline } from '../timeline.ts'
import { differences, judge, type Verdict } from '../verdict.ts'
import { ask, Judge } from './ask.ts'
import { Keyed } from './keyed.ts'
import { drawRounds, type Kind, type Planned, textOf } from './plan.ts'
import type { Round } from './recovery.ts'
import { type Scene, type Struck, strike } from './strike.ts'
import { Tables } from './tables.ts'

const ORCHESTRATORS = 2
/** Sparse files; room for all tables. */
const DISK_MIB = 2_048
const CALM_MS = 3_000
/** After the last fault of a round has ended. Whoever takes longer has not recovered. */
const WHOLE_MS = 150_000
const SERVED_MS = 60_000
const PROBE_MS = 5_000
/** Worth saying who it was. */
const SLOW_MS = 10_000
const SETTLE_MS = 120_000
const PROBLEMS_TOLD = 20

export interface CombinedOptions {
  readonly seed: number
  readonly durationMs: number
  readonly kinds: readonly Kind[]
  readonly clients: number
  readonly perS: number
  readonly connections: number
  /** In the whole run. */
  readonly keys: number
  readonly tables: number
  /** Of one fault, at most. */
  readonly lastsMaxMs: number
  readonly show: (line: string) => void
  readonly stopped: AbortSignal
  readonly evidenceDir: string
}

export interface Report extends Verdict {
  readonly seed: number
  readonly seconds: number
  readonly rounds: readonly Round[]
  readonly answers: Readonly<Record<string, number>>
  readonly keys: { readonly sent: number; readonly acknowledged: number; readonly compared: number }
  readonly tables: number
}

export async function combined(options: CombinedOptions): Promise<Report> {
  await using opened = new AsyncDisposableStack()
  const timeline = new Timeline(options.show)
  timeline.add('run', `seed ${options.seed}: starting a system`)
  const has = (...kinds: readonly Kind[]) => kinds.some(kind => options.kinds.includes(kind))
  const clocks = has('clock') ? Clocks.open() : undefined
  if (clocks !== undefined) opened.use(clocks)
  const network = has('cut', 'expire')
  const more = clocks === undefined ? {} : { clocks }
  const cluster = opened.use(await Cluster.open({ network, orchestrators: ORCHESTRATORS, ...more }))
  const missing: Kind[] = []
  if (has('clock') && clocks === undefined) missing.push('clock')
  if (has('disk-full', 'disk-hang')) {
    if (Disk.permitted(cluster.folder.root)) {
      await cluster.healed(await cluster.smallDisks(DISK_MIB))
    } else missing.push('disk-full', 'disk-hang')
  }
  if (missing.length > 0) timeline.add('run', `not possible here: ${missing.join(', ')}`)
  const kinds = options.kinds.filter(kind => !missing.includes(kind))
  const run = new Run({ ...options, kinds }, { cluster, clocks, timeline })
  return await run.toItsEnd()
}

interface Around {
  readonly cluster: Cluster
  readonly clocks: Clocks | undefined
  readonly timeline: Timeline
}

class Run {
  readonly #options: CombinedOptions
  readonly #around: Around
  readonly #judge = new Judge()
  readonly #clients: Clients
  readonly #scene: Scene
  readonly #rounds: Round[] = []
  readonly #troubles: string[] = []
  readonly #ended = new AbortController()

  constructor(options: CombinedOptions, around: Around) {
    this.#options = options
    this.#around = around
    const { cluster, clocks } = around
    const { orchestrators } = cluster
    const { clients, perS, seed, connections, stopped } = options
    const shared = { cluster, orchestrators, judge: this.#judge }
    this.#clients = new Clients({ cluster, orchestrators, clients, perS, seed })
    this.#scene = {
      ...{ cluster, clocks, stopped },
      keyed: new Keyed({ ...shared, seed }),
      tables: new Tables(cluster, this.#judge),
      crowd: { ...shared, connections },
      burst: { keys: Math.ceil(options.keys / 5), tables: Math.ceil(options.tables / 20) }
    }
  }

  async toItsEnd(): Promise<Report> {
    const { timeline, cluster } = this.#around
    const { keyed, tables } = this.#scene
    const { durationMs, keys, tables: wanted, stopped } = this.#options
    await keyed.prepare()
    await this.#clients.start()
    const startedAtMs = performance.now()
    const loads = AbortSignal.any([this.#ended.signal, stopped])
    const background = Promise.all([
      keyed.steadily(Math.max(5, (2_000 * keys) / durationMs), loads),
      tables.make(wanted, loads)
    ])
    await this.#harm(startedAtMs + durationMs)
    this.#ended.abort()
    timeline.add('run', 'no more faults: judging')
    await background
    await this.#clients.stop()
    await this.#attempt('settling all keys', () => keyed.settle(SETTLE_MS))
    await this.#attempt('reading everything', () => this.#clients.readAll())
    await this.#attempt('comparing the workers', () => this.#compare())
    await this.#attempt('counting the keys', () => this.#countKeys())
    const { history, unexpected } = this.#clients
    const verdict = judge(history, [...unexpected, ...this.#judge.problems, ...this.#troubles])
    for (const problem of verdict.problems.slice(0, PROBLEMS_TOLD)) {
      timeline.add('run', `PROBLEM: ${problem}`)
    }
    if (verdict.problems.length > 0) {
      keepLogs(cluster.folder, this.#options.evidenceDir)
      timeline.add('run', `logs are kept in ${this.#options.evidenceDir}`)
    }
    const { ledger } = keyed
    return {
      ...{ ...verdict, seed: this.#options.seed, rounds: this.#rounds, tables: tables.made },
      seconds: (performance.now() - startedAtMs) / 1_000,
      answers: this.#judge.counts,
      keys: {
        sent: ledger.keys.length,
        acknowledged: ledger.acknowledged(),
        compared: ledger.compared
      }
    }
  }

  async #harm(untilMs: number): Promise<void> {
    const { stopped, seed, kinds, lastsMaxMs } = this.#options
    for (const planned of drawRounds(kinds, new Dice(seed), lastsMaxMs)) {
      await this.#sleep(Math.min(CALM_MS, untilMs - performance.now()))
      if (stopped.aborted || performance.now() >= untilMs) return
      if (planned.some(({ kind }) => kind.startsWith('disk-'))) await this.#renewDisks()
      const round = await this.#round(planned)
      this.#rounds.push(round)
      if (round.wholeAfterMs === null || round.servedAfterMs === null) return
    }
  }

  /** For workers that have been replaced or copied anew. */
  async #renewDisks(): Promise<void> {
    const { cluster } = this.#around
    await this.#attempt('starting on new disks', async () => {
      await cluster.healed(await cluster.smallDisks(DISK_MIB), { withinMs: WHOLE_MS })
    })
  }

  async #round(planned: readonly Planned[]): Promise<Round> {
    const { cluster, timeline } = this.#around
    const atMs = performance.now()
    const struck = await Promise.all(planned.map(one => this.#inflict(one)))
    const healedAtMs = performance.now()
    const dead = struck.flatMap(one => one.dead)
    const what = planned.map(textOf).join(' + ')
    const after = async (within: string, act: () => Promise<unknown>) => {
      const isFine = await this.#attempt(`${within} after ${what}`, act)
      return isFine ? performance.now() - healedAtMs : null
    }
    const [servedAfterMs, wholeAfterMs] = await Promise.all([
      after('served again', () => this.#served()),
      after('whole again', () => cluster.healed(dead, { withinMs: WHOLE_MS }))
    ])
    const window = { fromMs: atMs, toMs: performance.now() }
    const { writes, reads } = this.#clients.answeredAtMs
    const round: Round = {
      faults: planned.map((one, n) => ({ planned: one, notDone: struck[n]?.notDone ?? null })),
      ...{ atMs, healedAtMs, servedAfterMs, wholeAfterMs },
      writeGapMs: longestGapMs(writes, window),
      readGapMs: longestGapMs(reads, window)
    }
    timeline.add('stall', summaryOf(round))
    return round
  }

  async #inflict(planned: Planned): Promise<{ dead: readonly number[]; notDone: string | null }> {
    const { timeline } = this.#around
    await this.#sleep(planned.afterMs)
    let struck: Struck
    try {
      timeline.add('fault', textOf(planned))
      struck = await strike(planned, this.#scene)
    } catch (err) {
      timeline.add('healed', `not done: ${textOf(planned)}: ${String(err)}`)
      return { dead: [], notDone: String(err) }
    }
    await this.#sleep(planned.lastsMs)
    await struck.heal()
    if (planned.lastsMs > 0) timeline.add('healed', `over: ${textOf(planned)}`)
    return { dead: struck.dead, notDone: null }
  }

  /** Resolves when each orchestrator writes and reads, and the gateway answers. */
  async #served(): Promise<void> {
    const { cluster, timeline } = this.#around
    const fromMs = performance.now()
    let last = ''
    const asked = { judge: this.#judge, patienceMs: PROBE_MS, headers: bearerOf(cluster) }
    const body = { statements: [{ sql: "update combined_keys set n = n where key = 'none'" }] }
    const sql = { sql: 'select 1 as one', consistency: 'strong' }
    const calls = [
      ...cluster.orchestrators.flatMap(url => [
        { ...asked, url, path: '/api/v1/db/write', body },
        { ...asked, url, path: '/api/v1/db/read', body: sql }
      ]),
      { ...asked, url: cluster.lbUrl, path: '/api/v1/users' }
    ]
    const answered = calls.map(call =>
      until(`${call.url}${call.path} to answer`, { withinMs: SERVED_MS }, async () => {
        const { status } = await ask(call)
        if (status < 200 || status >= 300) return undefined
        last = `${call.path} of ${call.url}`
        return true
      })
    )
    await Promise.all(answered)
    const waitedMs = performance.now() - fromMs
    if (waitedMs > SLOW_MS) timeline.add('stall', `the last to answer: ${last}`)
  }

  async #compare(): Promise<void> {
    const found = await differences(this.#around.cluster)
    if (found.length > 0) throw new Error(found.join('\n'))
    this.#around.timeline.add('run', 'all workers hold the same rows')
  }

  /** In one worker's own database: all hold the same. */
  async #countKeys(): Promise<void> {
    const [place] = await levelPlaces(this.#around.cluster)
    if (place === undefined) throw new Error('there is no worker')
    const rows = await rowsIn(place, 'select key, count(*) as n from combined_keys group by key')
    const counts = new Map(rows.map(({ key, n }) => [key ?? '', Number(n)]))
    this.#troubles.push(...this.#scene.keyed.ledger.judge(counts))
  }

  /** Keeps what goes wrong as a problem. @returns whether nothing did */
  async #attempt(what: string, act: () => Promise<unknown>): Promise<boolean> {
    try {
      await act()
      return true
    } catch (err) {
      this.#troubles.push(`${what}: ${err instanceof Error ? err.message : String(err)}`)
      return false
    }
  }

  /** Shorter when the run is to end. */
  async #sleep(ms: number): Promise<void> {
    const { stopped } = this.#options
    await sleep(Math.max(0, ms), undefined, { signal: stopped }).catch(() => {})
  }
}

function summaryOf({ servedAfterMs, wholeAfterMs, writeGapMs, readGapMs }: Round): string {
  const s = (ms: number | null) => (ms === null ? 'never' : `${(ms / 1_000).toFixed(1)} s`)
  return (
    `served after ${s(servedAfterMs)}, whole after ${s(wholeAfterMs)}; ` +
    `no write for ${s(writeGapMs)}, no read for ${s(readGapMs)}`
  )
}
