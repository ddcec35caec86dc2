/**
 * Users' reads, over a few connections that they share. read-schedule.ts decides which of
 * them run next, reader.ts runs them; here is what lies between: connections, the clock, and
 * what becomes of reads that were cut off. A read is settled exactly once: by its answer, or
 * by a note that says why there is none.
 */
import { setInterval } from 'node:timers'
import { setTimeout as sleep } from 'node:timers/promises'
import { LASTS_MS, Paces } from '../../platform/shares/paces.ts'
import type { ReadCommand } from '../../wire/requests.ts'
import type { ReadResult } from '../store.ts'
import { ReadSchedule, type Slot } from './read-schedule.ts'
import { type Left, Reader, ReaderLostError, type ReaderOptions, type Waiting } from './reader.ts'
import { outOfTime } from './refusals.ts'

/** How often the clock is looked at while reads run. */
const LOOK_MS = 25
/** A read that was to be stopped, and is not so much later, resists. */
const STOPS_WITHIN_MS = 100
/** So long before its deadline, at most, a read is given up here, so that its caller hears of it. */
const GIVEN_UP_MS = 250
/** Of the time that is left when it arrives. */
const GIVEN_UP_SHARE = 0.1
/** A read that ran for so long by itself failed by its own doing, and not by waiting. */
const HAD_ITS_TIME_MS = 1_000
/** What answered so lately is well. */
const WELL_FOR_MS = 50
/** For a connection, while PostgreSQL restarts its processes. */
const OPENS_WITHIN_MS = 2_000
const OPEN_AGAIN_MS = 50

/** A slot at work. */
interface Run {
  readonly slot: Slot<Waiting>
  reader: Reader | undefined
  /** Infinite before its reads were sent. */
  beganMs: number
  /** 0: not asked to stop. */
  stoppedMs: number
  /** How long its reads take was told to the paces already. */
  isMeasured: boolean
}

export class Readers implements AsyncDisposable {
  readonly #options: ReaderOptions
  readonly #schedule: ReadSchedule<Waiting>
  readonly #paces = new Paces()
  readonly #idle: Reader[] = []
  /** Of low priority, for slow reads: one is kept. */
  #idleSlow: Reader | undefined
  readonly #runs = new Set<Run>()
  #max: number
  #looking: NodeJS.Timeout | undefined
  #heardMs = Number.NEGATIVE_INFINITY
  #closed = false
  /** Of the runs that have ended. */
  #busyMs = 0

  constructor(options: ReaderOptions) {
    this.#options = options
    this.#max = options.limits.readers
    this.#schedule = new ReadSchedule(this.#slots, client => this.#paces.isSteady(client))
  }

  get reading() {
    const nowMs = performance.now()
    let busyMs = this.#busyMs
    for (const { beganMs } of this.#runs) busyMs += Math.max(0, nowMs - beganMs)
    return { busyMs, connections: this.#slots.quick + this.#slots.slow }
  }

  /** More are opened when they are needed; those too many are closed when they are idle. */
  async resize(max: number): Promise<void> {
    this.#max = max
    this.#schedule.resize(this.#slots)
    this.#serve()
    const tooMany = this.#idle.splice(0, Math.max(0, this.#open - max))
    await Promise.all(tooMany.map(reader => reader[Symbol.asyncDispose]()))
  }

  /** Those of one message. */
  read(reads: readonly ReadCommand[], begins?: () => Promise<void>): Promise<ReadResult>[] {
    const nowMs = performance.now()
    const paces = reads.map(read => this.#paceOf(read, nowMs))
    const careful = paces.filter(pace => pace !== 'quick').length
    const lastQuick = paces.lastIndexOf('quick')
    const waiting = reads.map((read, at): Waiting => {
      const done = Promise.withResolvers<ReadResult>()
      return {
        ...{ read, begins, done, isLast: at === lastQuick, tries: 0, cuts: 0 },
        ...{ client: read.client ?? '', pace: paces[at] ?? 'unknown', cost: 1 / careful },
        dueMs: nowMs + read.ttlMs - Math.min(GIVEN_UP_MS, GIVEN_UP_SHARE * read.ttlMs),
        ...{ deadlineMs: nowMs + read.ttlMs, alone: read.suspect === true }
      }
    })
    for (const one of waiting) this.#wait(one)
    this.#serve()
    return waiting.map(({ done }) => done.promise)
  }

  /** Whether the database answers: a read that is under way will have its end. */
  async isWell(): Promise<boolean> {
    if (performance.now() - this.#heardMs < WELL_FOR_MS) return true
    return this.#options.isWell()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    clearInterval(this.#looking)
    const idle = [...this.#idle.splice(0), ...(this.#idleSlow ? [this.#idleSlow] : [])]
    await Promise.all(idle.map(reader => reader[Symbol.asyncDispose]()))
  }

  get #slots() {
    return { quick: this.#max, slow: this.#options.limits.slowReaders }
  }

  /** Connections for quick reads. */
  get #open(): number {
    const running = [...this.#runs].filter(({ slot: { kind } }) => kind !== 'slow')
    return this.#idle.length + running.length
  }

  #paceOf({ client = '', sql, suspect }: ReadCommand, nowMs: number): Waiting['pace'] {
    const pace = this.#paces.of(client, sql, nowMs)
    return suspect && pace === 'quick' ? 'unknown' : pace
  }

  #wait(one: Waiting): void {
    for (const refused of this.#schedule.add(one)) note(refused, 'busy')
  }

  #serve(): void {
    while (!this.#closed) {
      const slot = this.#schedule.next()
      if (slot === undefined) return
      const nowMs = performance.now()
      slot.items = slot.items.filter(one => !this.#isOver(one, slot, nowMs))
      if (slot.items.length === 0) this.#schedule.ended(slot)
      else void this.#run(slot)
    }
  }

  /** Whether it has no business in this slot any more. */
  #isOver(one: Waiting, { kind }: Slot<Waiting>, nowMs: number): boolean {
    if (isDue(one, nowMs)) {
      giveUp(one, nowMs)
      return true
    }
    // Its text may have been found to be slow while it waited.
    const isSlow = kind === 'unknown' && this.#paceOf(one.read, nowMs) === 'slow'
    if (isSlow) this.#wait({ ...one, pace: 'slow' })
    return isSlow
  }

  async #run(slot: Slot<Waiting>): Promise<void> {
    const run: Run = {
      slot,
      reader: undefined,
      beganMs: Number.POSITIVE_INFINITY,
      stoppedMs: 0,
      isMeasured: false
    }
    this.#runs.add(run)
    // What has arrived is read first: a delay of this process makes no read slow.
    this.#looking ??= setInterval(() => setImmediate(() => this.#look()), LOOK_MS)
    try {
      const reader = await this.#readerFor(slot)
      if (reader === undefined) for (const one of slot.items) note(one, 'busy')
      else this.#ran(run, await this.#answers(run, reader))
    } catch (err) {
      for (const { done } of slot.items) done.reject(err)
    }
    this.#runs.delete(run)
    this.#busyMs += Math.max(0, performance.now() - run.beganMs)
    this.#schedule.ended(slot)
    if (run.reader !== undefined) this.#keep(run.reader)
    this.#serve()
  }

  /** Undefined when none can be opened at present. */
  async #readerFor({ kind }: Slot<Waiting>): Promise<Reader | undefined> {
    const untilMs = performance.now() + OPENS_WITHIN_MS
    for (;;) {
      await this.#options.untilOpen()
      const idle = this.#takeIdle(kind)
      if (idle !== undefined) return idle
      try {
        const reader = await Reader.open(this.#options)
        if (kind === 'slow') reader.yieldToOthers()
        return reader
      } catch {
        // It may restart, which is noticed in a moment.
        if (performance.now() > untilMs) return undefined
        await sleep(OPEN_AGAIN_MS)
      }
    }
  }

  #takeIdle(kind: Slot<Waiting>['kind']): Reader | undefined {
    if (kind === 'slow') {
      const idle = this.#idleSlow
      this.#idleSlow = undefined
      return idle?.isOpen ? idle : undefined
    }
    for (let idle = this.#idle.pop(); idle !== undefined; idle = this.#idle.pop()) {
      // PostgreSQL may have restarted since.
      if (idle.isOpen) return idle
    }
    return undefined
  }

  async #answers(run: Run, reader: Reader): Promise<Left> {
    for (const { begins } of run.slot.items) await begins?.()
    run.reader = reader
    run.beganMs = performance.now()
    try {
      return await reader.answer(run.slot.items)
    } catch (err) {
      run.reader = undefined
      if (!(err instanceof ReaderLostError)) throw err
      if (await this.#options.isInnocent(err.cause)) return { behind: err.unheard }
      // Any of them may have ended it: they are not run here again.
      for (const one of err.unheard) note(one, 'returned')
      return { behind: [] }
    }
  }

  #ran(run: Run, { cut, behind }: Left): void {
    const { items } = run.slot
    const nowMs = performance.now()
    this.#heardMs = nowMs
    const tookMs = (nowMs - run.beganMs) / items.length
    const unheard = new Set([...behind, ...(cut ? [cut] : [])].map(({ read }) => read))
    for (const one of items) {
      if (!run.isMeasured && !unheard.has(one.read)) this.#measured(one, tookMs)
    }
    for (const one of behind.toReversed()) this.#schedule.addFirst(one)
    if (cut === undefined) return
    this.#measured(cut, LASTS_MS)
    if (isDue(cut, nowMs)) lateEnd(cut, tookMs, nowMs)
    else this.#wait(this.#slowed(cut, nowMs))
  }

  /** The first time it may have been a delay of the machine; what lasts again is slow. */
  #slowed(cut: Waiting, nowMs: number): Waiting {
    const cuts = cut.cuts + 1
    const pace = this.#paceOf(cut.read, nowMs)
    return {
      ...cut,
      cuts,
      pace: cuts > 2 ? 'slow' : cuts === 2 && pace === 'quick' ? 'unknown' : pace
    }
  }

  #measured({ client, read: { sql } }: Waiting, tookMs: number): void {
    this.#paces.took({ client, sql }, tookMs, performance.now())
  }

  #keep(reader: Reader): void {
    if (reader.isSpent || !reader.isOpen || this.#closed) this.#end(reader)
    else if (reader.isYielding) {
      if (this.#idleSlow === undefined) this.#idleSlow = reader
      else this.#end(reader)
    } else if (this.#open >= this.#max) this.#end(reader)
    else this.#idle.push(reader)
  }

  #end(reader: Reader): void {
    void reader[Symbol.asyncDispose]()
  }

  #look(): void {
    if (this.#runs.size === 0) {
      clearInterval(this.#looking)
      this.#looking = undefined
      return
    }
    const nowMs = performance.now()
    for (const run of this.#runs) this.#lookAt(run, nowMs)
    for (const one of this.#schedule.expire(one => isDue(one, nowMs))) giveUp(one, nowMs)
    this.#serve()
  }

  #lookAt(run: Run, nowMs: number): void {
    const { slot, reader, stoppedMs } = run
    if (reader === undefined) return
    if (stoppedMs > 0) {
      const isHeld = slot.kind === 'quick' || slot.kind === 'unknown'
      if (nowMs - stoppedMs < STOPS_WITHIN_MS) return
      if (isHeld) this.#schedule.resists(slot)
      // What cannot be interrupted is ended by the guard, which its caller does not wait for.
      for (const one of slot.items) if (isDue(one, nowMs)) lateEnd(one, nowMs - run.beganMs, nowMs)
      return
    }
    const isForNobody = slot.items.every(one => isDue(one, nowMs))
    const lasts = nowMs - run.beganMs >= LASTS_MS
    const then = isForNobody ? 'stop' : lasts ? this.#schedule.lasts(slot) : 'goes on'
    if (then === 'stop') {
      run.stoppedMs = nowMs
      reader.stop()
    }
    if (then !== 'moved') return
    reader.yieldToOthers()
    run.isMeasured = true
    for (const one of slot.items) this.#measured(one, LASTS_MS)
  }
}

const isDue = ({ dueMs }: Waiting, nowMs: number): boolean => dueMs <= nowMs

/** It had no turn, or too little of one. */
function giveUp(one: Waiting, nowMs: number): void {
  note(one, one.deadlineMs <= nowMs ? 'expired' : 'busy')
}

/** Of one that runs, or was cut off. */
function lateEnd(one: Waiting, tookMs: number, nowMs: number): void {
  if (one.deadlineMs <= nowMs || tookMs < HAD_ITS_TIME_MS) {
    giveUp(one, nowMs)
    return
  }
  const answer = outOfTime(`the read ran for ${Math.floor(tookMs)} ms, until its deadline`)
  one.done.resolve({ applied: 0, answer, tookMs })
}

function note({ done }: Waiting, note: NonNullable<ReadResult['note']>): void {
  done.resolve({ applied: 0, answer: { status: 0, body: '' }, note, tookMs: 0 })
}
