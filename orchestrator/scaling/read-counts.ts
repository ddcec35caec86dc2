/**
 * How many reads each orchestrator has been asked for. Each shows its own count in an
 * ephemeral znode of its own, so that whoever supervises can sum them; what is not
 * shown yet when a process dies is not counted.
 */

import type { Kept, ZooKeeper } from '../../platform/zookeeper.ts'
import { READS } from '../../wire/znodes.ts'

const SHOW_MS = 500

export class ReadCounts implements AsyncDisposable {
  readonly #kept: Kept
  readonly #watch: Disposable
  readonly #timer: NodeJS.Timeout
  #own = 0
  #shown = 0
  #all: ReadonlyMap<string, number> = new Map()

  constructor(zookeeper: ZooKeeper, orchestratorId: string) {
    this.#kept = zookeeper.keep(`${READS}/${orchestratorId}`, '0')
    this.#watch = zookeeper.watchChildren(READS, nodes => {
      const counts = [...nodes].map(([id, { data }]) => [id, Number(data)] as const)
      this.#all = new Map(counts.filter(([, count]) => Number.isSafeInteger(count)))
    })
    this.#timer = setInterval(() => this.#show(), SHOW_MS)
  }

  /** A read was asked for here. */
  count(): void {
    this.#own += 1
  }

  /** By orchestrator, since each began. */
  get all(): ReadonlyMap<string, number> {
    return this.#all
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer)
    this.#watch[Symbol.dispose]()
    await this.#kept[Symbol.asyncDispose]()
  }

  #show(): void {
    if (this.#own === this.#shown) return
    this.#shown = this.#own
    void this.#kept.update(String(this.#own)) // rejects only when it is disposed
  }
}
