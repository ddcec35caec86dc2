/**
 * Reads in whose execution a worker may have ended. They run one after the other, each once
 * its orchestrator can know that it begins: if this worker ends too, it was that one, and it is
 * executed nowhere again. One that lasts has not ended the worker at once, and does not keep
 * the next one waiting.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { LASTS_MS } from '../platform/shares/paces.ts'
import type { ReadCommand } from '../wire/requests.ts'
import type { ReadResult, Store } from './store.ts'

export interface SuspectsOptions {
  /** Resolves when RabbitMQ has the note. */
  readonly begins: (read: ReadCommand, replyTo: string) => Promise<void>
  readonly read: Store['read']
}

export class Suspects {
  readonly #options: SuspectsOptions
  #before: Promise<unknown> = Promise.resolve()

  constructor(options: SuspectsOptions) {
    this.#options = options
  }

  run(read: ReadCommand, replyTo: string): Promise<ReadResult> {
    const { promise, resolve, reject } = Promise.withResolvers<ReadResult>()
    this.#before = this.#before.then(() => this.#runNow(read, replyTo, resolve)).catch(reject)
    return promise
  }

  /** Ends with the read, or when it has lasted. */
  async #runNow(
    read: ReadCommand,
    replyTo: string,
    resolve: (result: ReadResult | Promise<ReadResult>) => void
  ): Promise<void> {
    const lasted = Promise.withResolvers<void>()
    const begins = async () => {
      await this.#options.begins(read, replyTo)
      void sleep(LASTS_MS, undefined, { ref: false }).then(lasted.resolve)
    }
    const [result] = this.#options.read([read], begins)
    if (result === undefined) return
    resolve(result)
    await Promise.race([result.catch(() => {}), lasted.promise])
  }
}
