/**
 * One run: a system of its own, clients, faults that a seed draws, and a verdict. Faults
 * come whatever the system is doing; at most two last at the same time.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { followNews } from '../../local/news.ts'
import { Cluster } from '../../testing/cluster/cluster.ts'
import { keepLogs } from '../../testing/evidence.ts'
import { Dice } from '../../testing/random.ts'
import { Clients } from './clients.ts'
import { type Drawn, drawFault, type FaultKind, NETWORK_KINDS } from './draw.ts'
import { countHits, Hits } from './hits.ts'
import { type Moment, type Stall, Timeline } from './timeline.ts'
import { differences, judge, type Verdict } from './verdict.ts'

const EVERY_MS = { least: 5_000, most: 15_000 }
const AT_ONCE = 2
const ORCHESTRATORS = 2
/** Restarts back off after many deaths. */
const HEALED_MS = 120_000
/** Writes go on for so long before the first fault. */
const CALM_MS = 3_000

export interface TortureOptions {
  readonly seed: number
  readonly durationMs: number
  readonly kinds: readonly FaultKind[]
  readonly clients: number
  /** Requests of one client, at most. */
  readonly perS: number
  readonly show: (line: string) => void
  /** Ends the run early, with the verdict so far. */
  readonly stopped: AbortSignal
  /** Takes the logs and the history of a run that failed. */
  readonly evidenceDir: string
}

export interface Report extends Verdict {
  readonly seed: number
  readonly seconds: number
  readonly faults: number
  readonly elections: number
  /** Reads that orchestrators told from what they keep. */
  readonly hits: number
  readonly stalls: readonly Stall[]
  readonly moments: readonly Moment[]
}

export async function torture(options: TortureOptions): Promise<Report> {
  await using opened = new AsyncDisposableStack()
  const timeline = new Timeline(options.show)
  timeline.add('run', `seed ${options.seed}: starting a system`)
  const network = NETWORK_KINDS.some(kind => options.kinds.includes(kind))
  const cluster = opened.use(await Cluster.open({ network, orchestrators: ORCHESTRATORS }))
  if (options.kinds.includes('disk')) await cluster.healed(await cluster.smallDisks())
  const run = new Run(cluster, timeline, options)
  const verdict = await run.toItsEnd()
  if (verdict.problems.length > 0) run.keepEvidence(verdict)
  return run.reportOf(verdict)
}

class Run {
  readonly #cluster: Cluster
  readonly #timeline: Timeline
  readonly #options: TortureOptions
  readonly #clients: Clients
  readonly #ended = new AbortController()
  readonly #hits = new Hits()
  readonly #dead: number[] = []
  readonly #ongoing = new Set<Promise<void>>()
  #faults = 0
  #elections = 0
  #startedAtMs = performance.now()

  constructor(cluster: Cluster, timeline: Timeline, options: TortureOptions) {
    this.#cluster = cluster
    this.#timeline = timeline
    this.#options = options
    const { clients, perS, seed } = options
    const { orchestrators } = cluster
    this.#clients = new Clients({ cluster, orchestrators, clients, perS, seed })
  }

  async toItsEnd(): Promise<Verdict> {
    const followed = Promise.all([this.#followNews(), this.#countHits()])
    await this.#clients.start()
    this.#timeline.add('run', `${this.#options.clients} clients write and read`)
    this.#startedAtMs = performance.now()
    await this.#harm()
    const troubles = await this.#heal()
    await this.#clients.stop()
    troubles.push(...(await this.#attempt('reading everything', () => this.#clients.readAll())))
    troubles.push(...(await this.#attempt('comparing the workers', () => this.#compare())))
    this.#ended.abort()
    await followed
    if (this.#hits.sum === 0) troubles.push('no read was told from what is kept')
    const { history, unexpected } = this.#clients
    this.#timeline.add('run', `judging ${history.length} requests`)
    const verdict = judge(history, [...unexpected, ...troubles])
    for (const problem of verdict.problems) this.#timeline.add('run', `PROBLEM: ${problem}`)
    return verdict
  }

  reportOf(verdict: Verdict): Report {
    return {
      seed: this.#options.seed,
      seconds: (performance.now() - this.#startedAtMs) / 1_000,
      faults: this.#faults,
      elections: this.#elections,
      hits: this.#hits.sum,
      ...verdict,
      stalls: this.#timeline.stalls,
      moments: this.#timeline.moments
    }
  }

  keepEvidence(verdict: Verdict): void {
    const { evidenceDir } = this.#options
    keepLogs(this.#cluster.folder, evidenceDir)
    const json = (name: string, value: unknown) =>
      writeFileSync(join(evidenceDir, name), `${JSON.stringify(value, null, 1)}\n`)
    json('report.json', this.reportOf(verdict))
    json('history.json', this.#clients.history)
    this.#timeline.add('run', `logs, history and report are kept in ${evidenceDir}`)
  }

  #followNews(): Promise<void> {
    const say = (line: string) => {
      if (line.includes(' is master of term ')) this.#elections += 1
      this.#timeline.add('cluster', line)
    }
    return followNews({ urls: this.#cluster.orchestrators, say, stopped: this.#ended.signal })
  }

  #countHits(): Promise<void> {
    const { orchestrators } = this.#cluster
    return countHits(orchestrators, { hits: this.#hits, stopped: this.#ended.signal })
  }

  /** Draws and inflicts faults until the time is up. */
  async #harm(): Promise<void> {
    const dice = new Dice(this.#options.seed)
    const untilMs = performance.now() + this.#options.durationMs
    let waitMs = CALM_MS
    for (;;) {
      await this.#sleep(Math.min(waitMs, untilMs - performance.now()))
      if (this.#options.stopped.aborted || performance.now() >= untilMs) return
      const fault = drawFault(this.#options.kinds, dice)
      waitMs = dice.between(EVERY_MS.least, EVERY_MS.most)
      while (this.#ongoing.size >= AT_ONCE) await Promise.race(this.#ongoing)
      const ongoing: Promise<void> = this.#inflict(fault).finally(() =>
        this.#ongoing.delete(ongoing)
      )
      this.#ongoing.add(ongoing)
    }
  }

  async #inflict({ text, lastsMs, inflict }: Drawn): Promise<void> {
    const lasts = lastsMs === 0 ? '' : `, for ${(lastsMs / 1_000).toFixed(1)} s`
    this.#timeline.fault(`${text}${lasts}`, this.#clients.answeredAtMs)
    try {
      const struck = await inflict(this.#cluster)
      this.#faults += 1
      if (!('heal' in struck)) return void this.#dead.push(...struck)
      await this.#sleep(lastsMs)
      await struck.heal()
      this.#timeline.add('healed', `over: ${text}`)
    } catch (err) {
      // Its victim was not there just now: that is no fault of the system.
      this.#timeline.add('healed', `not done: ${text}: ${String(err)}`)
    }
  }

  /** @returns what does not heal */
  async #heal(): Promise<string[]> {
    await Promise.all(this.#ongoing)
    this.#timeline.add('run', 'no more faults: waiting until all is whole')
    const troubles = await this.#attempt('healing', () =>
      this.#cluster.healed(this.#dead, { withinMs: HEALED_MS })
    )
    this.#timeline.settle(this.#clients.answeredAtMs)
    if (troubles.length === 0) this.#timeline.add('run', 'one master, all workers in sync')
    return troubles
  }

  async #compare(): Promise<void> {
    const found = await differences(this.#cluster)
    if (found.length > 0) throw new Error(found.join('\n'))
    this.#timeline.add('run', 'all workers hold the same rows')
  }

  async #attempt(what: string, act: () => Promise<unknown>): Promise<string[]> {
    try {
      await act()
      return []
    } catch (err) {
      return [`${what}: ${err instanceof Error ? err.message : String(err)}`]
    }
  }

  /** Shorter when the run is to end. */
  async #sleep(ms: number): Promise<void> {
    await sleep(Math.max(0, ms), undefined, { signal: this.#options.stopped }).catch(() => {})
  }
}
