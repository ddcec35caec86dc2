/**
 * A system that chaos harms: where its clients go, what can be done to it, and what
 * cannot, and why.
 */
import type { Dice } from '../../../testing/random.ts'
import type { Cuts, FaultName, PlannedFault } from '../plan.ts'

/** Where clients go. */
export interface Doors {
  readonly lb: string
  readonly orchestrators: readonly string[]
  /** Bearer token of the orchestrators, where they ask for one. */
  readonly token: string | undefined
}

/** A fault that struck. */
export interface Struck {
  /** Who it was, in words. */
  readonly who: string
  /** Processes that ended of it, and must be gone before all is whole again. */
  readonly dead: readonly number[]
  /** Ends what lasts. */
  readonly heal: () => Promise<void>
}

export interface Target extends AsyncDisposable {
  /** In words. */
  readonly title: string
  readonly doors: Doors
  /** Whether it is there for chaos alone, and gone with it. */
  readonly isOwn: boolean
  /** Why some faults cannot be done to it. */
  readonly unavailable: ReadonlyMap<FaultName, string>
  /** Whom a cut can cut off, and from what; null: all of it. */
  readonly cuts: Cuts | null
  /** @throws Error when its victim is not there just now */
  strike(fault: PlannedFault, dice: Dice): Promise<Struck>
  /** Resolves when one master and the wanted replicas are in sync, none of them dead. */
  whole(dead: readonly number[], withinMs: number): Promise<void>
  /** Copies its logs, where they can be had. */
  keepLogs(dir: string): void
}
