/**
 * How workers are started, watched and ended: the one thing that differs between
 * processes on this machine and containers. A place holds one worker and its data;
 * it outlives the processes that run in it one after the other.
 */

export interface Place {
  readonly name: string
  /** Null until the worker there has whole data. */
  readonly workerId: string | null
  /** Of the process that runs there now. */
  readonly pid: number | null
}

export interface Death {
  readonly name: string
  readonly workerId: string | null
  /** Null of one that could not be started. */
  readonly pid: number | null
}

/** Docker engines, of which further ones may join. */
export interface Engines {
  list(): EngineNow[]
  /** Workers are spread over these too from now on. Again does nothing. @throws TypeError of a wrong URL */
  join(url: string): void
  /** @throws Error saying why no worker could be started there */
  probe(url: string): Promise<void>
}

export interface EngineNow {
  readonly url: string
  readonly reached: boolean
  /** As last seen. */
  readonly workers: number
}

export interface Runtime extends AsyncDisposable {
  /** Undefined where workers are processes. */
  readonly engines?: Engines
  /** All places, by name. */
  list(): Promise<readonly Place[]>
  /** Begins to watch whatever runs, whoever started it, and to tell of deaths. @returns all places, by name */
  attend(): Promise<readonly Place[]>
  onDeath(listener: (death: Death) => void): Disposable
  /** Makes an empty place and starts a worker in it. @returns its name */
  create(): Promise<string>
  /** Whether a process is kept ready for the next start; absent where that cannot be. */
  keepSpare?(wanted: boolean): void
  /** Does nothing when a worker runs there. */
  start(name: string): Promise<void>
  /**
   * Kills what runs there, and removes the place with its data.
   * @param mayGo asked before that, and again when nothing can start there any more: whoever
   *   calls may have stood still in between, and another may have gone on with the place
   */
  discard(name: string, mayGo: () => Promise<boolean>): Promise<void>
  /** kill -9. @returns the pid; null when no such worker runs within this runtime's reach */
  kill(workerId: string): Promise<number | null>
  /** Asks what is attended to end, in this order of workers, and kills what has not within `graceMs`. */
  stop(options: { readonly last: string | null; readonly graceMs: number }): Promise<void>
}
