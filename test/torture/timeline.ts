/**
 * What happened when: faults, what the cluster told of itself, and how long clients
 * waited after each fault. Pure but for the clock that it is given.
 */
import { longestGapMs, type Window } from '../../testing/clients/gaps.ts'

export interface Moment {
  /** Since the beginning of the run. */
  readonly atMs: number
  readonly kind: 'run' | 'fault' | 'healed' | 'cluster' | 'stall'
  readonly text: string
}

/** From one fault to the next. */
export interface Stall {
  readonly fault: string
  readonly atMs: number
  readonly writeGapMs: number
  readonly readGapMs: number
}

interface Answered {
  readonly writes: readonly number[]
  readonly reads: readonly number[]
}

const INDENT = { run: '', fault: '', healed: '  ', cluster: '    ', stall: '    ' } as const

export class Timeline {
  readonly #nowMs: () => number
  readonly #startedAtMs: number
  readonly #show: (line: string) => void
  readonly #moments: Moment[] = []
  readonly #stalls: Stall[] = []
  #open: { readonly fault: string; readonly fromMs: number } | undefined

  constructor(show: (line: string) => void, nowMs = () => performance.now()) {
    this.#show = show
    this.#nowMs = nowMs
    this.#startedAtMs = nowMs()
  }

  get moments(): readonly Moment[] {
    return this.#moments
  }

  get stalls(): readonly Stall[] {
    return this.#stalls
  }

  add(kind: Moment['kind'], text: string): void {
    const moment = { atMs: this.#nowMs() - this.#startedAtMs, kind, text }
    this.#moments.push(moment)
    this.#show(lineOf(moment))
  }

  /** Ends the stall of the fault before, if there was one. */
  fault(text: string, answered: Answered): void {
    this.settle(answered)
    this.add('fault', text)
    this.#open = { fault: text, fromMs: this.#nowMs() }
  }

  /** How long clients have waited since the last fault. */
  settle({ writes, reads }: Answered): void {
    if (this.#open === undefined) return
    const { fault, fromMs } = this.#open
    this.#open = undefined
    const window: Window = { fromMs, toMs: this.#nowMs() }
    const stall: Stall = {
      fault,
      atMs: fromMs - this.#startedAtMs,
      writeGapMs: longestGapMs(writes, window),
      readGapMs: longestGapMs(reads, window)
    }
    this.#stalls.push(stall)
    const [write, read] = [seconds(stall.writeGapMs), seconds(stall.readGapMs)]
    this.add('stall', `no acknowledged write for ${write} s, no answered read for ${read} s`)
  }
}

const seconds = (ms: number): string => (ms / 1_000).toFixed(2)

const lineOf = ({ atMs, kind, text }: Moment): string =>
  `${(atMs / 1_000).toFixed(1).padStart(7)} s  ${INDENT[kind]}${text}`
