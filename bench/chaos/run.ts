/**
 * One run: clients at a fixed rate, the faults of a plan at their times, and a verdict.
 * Invariants:
 * - A fault waits for the one before to be over and the system to be whole again: what is
 *   promised is to survive one death, not two at once. One that waits is told.
 * - Whatever ends the run, all that lasts is healed.
 */
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { request } from 'undici'
import { BANK_TOTAL } from '../../testing/clients/models.ts'
import { Dice } from '../../testing/random.ts'
import { Elections } from './elections.ts'
import {
  type Carried,
  type FaultLine,
  faultLines,
  type KindLine,
  kindLines,
  type Moment,
  moments,
  type Span
} from './figures.ts'
import { Load, READ_AGE_MS } from './load/load.ts'
import { lastsMsOf, type PlannedFault, textOf } from './plan.ts'
import type { Struck, Target } from './targets/target.ts'
import { type Election, type Evidence, judge, type Verdict } from './verdict.ts'

const WHOLE_MS = 60_000
/** Clients are served for so long between the end of one fault and the next, and after the last. */
const CALM_MS = 2_000
const VERIFY_MS = 60_000
/** It is asked about again. */
const GOES_ON = 202

export interface RunOptions {
  readonly target: Target
  readonly plan: readonly PlannedFault[]
  readonly perS: number
  readonly seed: number
  /** The least that the load lasts. */
  readonly durationMs: number
  readonly say: (line: string) => void
  /** Ends it early, with the verdict so far. */
  readonly stopped: AbortSignal
}

export interface Ran {
  readonly verdict: Verdict
  readonly seconds: number
  /** Requests asked, and those that were sent again, by what happened to the sending before. */
  readonly requests: number
  readonly sentAgain: Readonly<Record<string, number>>
  /** Requests that failed, by what they were told last. */
  readonly failed: Readonly<Record<string, number>>
  readonly faults: readonly FaultLine[]
  readonly kinds: readonly KindLine[]
  readonly elections: readonly Election[]
  readonly moments: readonly Moment[]
}

export async function runChaos(options: RunOptions): Promise<Ran> {
  const run = new Run(options)
  try {
    return await run.toItsEnd()
  } finally {
    await run.end()
  }
}

class Run {
  readonly #options: RunOptions
  readonly #load: Load
  readonly #dice: Dice
  readonly #carried: Carried[] = []
  readonly #broken: string[] = []
  #elections: Elections | undefined
  #ongoing: Struck | undefined
  #fromMs = 0

  constructor(options: RunOptions) {
    this.#options = options
    const { target, perS, seed } = options
    const name = `chaos-${Date.now().toString(36)}`
    this.#load = new Load({ doors: target.doors, perS, seed, name })
    this.#dice = new Dice(seed + 1)
  }

  async toItsEnd(): Promise<Ran> {
    const { target, plan, stopped, say } = this.#options
    await target.whole([], WHOLE_MS)
    await this.#load.start()
    this.#fromMs = performance.now()
    this.#elections = new Elections(target.doors.orchestrators)
    for (const planned of plan) {
      await this.#until(planned.atS * 1_000)
      if (stopped.aborted) break
      await this.#carryOut(planned)
    }
    await this.#until(this.#options.durationMs)
    await sleep(CALM_MS)
    say('no more faults: reading everything')
    const span = { fromMs: this.#fromMs, toMs: performance.now() }
    await this.#load.stop()
    return this.#judge(span)
  }

  async end(): Promise<void> {
    this.#elections?.end()
    await this.#ongoing?.heal()
    await this.#load.stop()
    await this.#load.close()
  }

  async #judge(span: Span): Promise<Ran> {
    const { target } = this.#options
    const last = await this.#orBroken(() => this.#load.readAll(), [])
    const differing = await this.#orBroken(() => this.#differing(), [])
    const { history, answers } = this.#load
    const elections = this.#elections?.seen ?? []
    const evidence: Evidence = {
      ...{ history, last, differing, broken: this.#broken, elections },
      errors: answers.flatMap(({ error, askedAtMs, atMs }) => {
        const when = `${((askedAtMs - span.fromMs) / 1_000).toFixed(1)} s`
        return error === null ? [] : `${when}: ${error} after ${Math.round(atMs - askedAtMs)} ms`
      }),
      promises: { maxReadAgeMs: READ_AGE_MS, bankTotal: BANK_TOTAL }
    }
    const verdict = judge(evidence)
    // What a broken verdict rests on is not taken away.
    if (!target.isOwn && verdict.held) await this.#load.clearAway()
    const faults = faultLines(answers, this.#carried, span)
    return {
      verdict,
      seconds: (span.toMs - span.fromMs) / 1_000,
      requests: answers.length,
      failed: counted(answers.flatMap(({ error }) => error ?? [])),
      sentAgain: counted(answers.flatMap(({ sentAgain }) => sentAgain)),
      ...{ faults, kinds: kindLines(faults), elections },
      moments: moments(answers, span)
    }
  }

  /** What the verdict rests on and cannot be had breaks it. */
  async #orBroken<T>(had: () => Promise<T>, nothing: T): Promise<T> {
    try {
      return await had()
    } catch (err) {
      this.#broken.push(String(err))
      return nothing
    }
  }

  async #carryOut(planned: PlannedFault): Promise<void> {
    const { target, say } = this.#options
    const lateMs = performance.now() - this.#fromMs - planned.atS * 1_000
    const late = lateMs > 1_000 ? `, ${(lateMs / 1_000).toFixed(1)} s late` : ''
    const atMs = performance.now()
    try {
      const struck = await target.strike(planned, this.#dice)
      this.#ongoing = struck
      say(`${textOf(planned)} (${struck.who})${late}`)
      await this.#sleep(lastsMsOf(planned))
      await struck.heal()
      const healedAtMs = lastsMsOf(planned) === 0 ? atMs : performance.now()
      const wholeAfterMs = await this.#wholeAgain(struck, atMs)
      await this.#sleep(CALM_MS)
      this.#carried.push({
        ...{ planned, who: struck.who, atMs, healedAtMs, wholeAfterMs, notDone: null }
      })
    } catch (err) {
      const notDone = err instanceof Error ? err.message : String(err)
      say(`not done: ${textOf(planned)}: ${notDone}`)
      const nothing = { who: '', healedAtMs: atMs, wholeAfterMs: null }
      this.#carried.push({ planned, atMs, ...nothing, notDone })
    }
    this.#ongoing = undefined
  }

  /** @returns after how long; null, and the verdict knows, when it does not get so */
  async #wholeAgain({ dead, who }: Struck, atMs: number): Promise<number | null> {
    try {
      const whole = this.#options.target
        .whole(dead, WHOLE_MS)
        .then(() => this.#load.goesOn(WHOLE_MS))
      await Promise.race([whole, this.#whenStopped()])
      return performance.now() - atMs
    } catch (err) {
      const problem = `not whole again after the fault of ${who}: ${String(err)}`
      this.#broken.push(problem)
      this.#options.say(problem)
      return null
    }
  }

  /** Compares all workers, by the sums of their tables. @returns a line for each that differs */
  async #differing(): Promise<string[]> {
    const { orchestrators, token } = this.#options.target.doors
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
    const url = `${orchestrators[0]}/api/v1/cluster/verify`
    const ask = async (method: 'POST' | 'GET') => {
      const { statusCode, body } = await request(url, {
        ...{ method, headers, headersTimeout: VERIFY_MS }
      })
      return { statusCode, text: await body.text() }
    }
    let { statusCode, text } = await ask('POST')
    while (statusCode === GOES_ON) ({ statusCode, text } = await ask('GET'))
    if (statusCode !== 200) return [`verify answered ${statusCode}: ${text}`]
    const { workers } = JSON.parse(text) as Verified
    this.#options.say(`${workers.length} workers compared`)
    return workers
      .filter(({ equal }) => !equal)
      .map(({ id, differing }) => `worker ${id} differs in ${differing.join(', ')}`)
  }

  #whenStopped(): Promise<unknown> {
    const { stopped } = this.#options
    return stopped.aborted ? Promise.resolve() : once(stopped, 'abort')
  }

  #until(sinceStartMs: number): Promise<void> {
    return this.#sleep(this.#fromMs + sinceStartMs - performance.now())
  }

  /** Shorter when the run is to end. */
  async #sleep(ms: number): Promise<void> {
    const { stopped } = this.#options
    await sleep(Math.max(0, ms), undefined, { signal: stopped }).catch(() => {})
  }
}

interface Verified {
  readonly workers: readonly { id: string; equal: boolean; differing: readonly string[] }[]
}

function counted(causes: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const cause of causes) counts[cause] = (counts[cause] ?? 0) + 1
  return counts
}
