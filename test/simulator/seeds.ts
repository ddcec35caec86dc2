/**
 * Many schedules, one after the other, in this thread.
 */
import { type Figures, runSchedule, ScheduleFailure } from './schedule.ts'

export interface Failed {
  readonly seed: number
  /** Of a ScheduleFailure; anything else is a bug of the simulator or of what it runs. */
  readonly kind: string
  readonly text: string
}

export interface SeedsOptions {
  readonly first: number
  readonly count: number
  /** From one seed to the next. */
  readonly stride?: number
  /** Called after each schedule that held. */
  readonly held?: (figures: Figures, seed: number) => void
  /** @returns true to go on */
  readonly failed: (failed: Failed) => boolean
}

export function runSeeds({ first, count, stride = 1, held, failed }: SeedsOptions): void {
  for (let i = 0; i < count; i++) {
    const seed = first + i * stride
    const outcome = tried(seed)
    if ('kind' in outcome) {
      if (!failed(outcome)) return
    } else held?.(outcome, seed)
  }
}

function tried(seed: number): Figures | Failed {
  try {
    return runSchedule(seed)
  } catch (error) {
    if (error instanceof ScheduleFailure) return { seed, kind: error.kind, text: error.message }
    return { seed, kind: 'error', text: String(error instanceof Error ? error.stack : error) }
  }
}
