/**
 * The verification that runs on this orchestrator, and how the last one ended. Whoever asks
 * while one runs joins it.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { VerifyRunningError } from '../errors.ts'
import { Verification, type VerificationOptions, type Verified } from './verification.ts'

export interface Running {
  readonly id: string
  readonly parts: number
  readonly tablesLeft: number
}

export type Looked =
  | { readonly kind: 'running'; readonly running: Running }
  | { readonly kind: 'done'; readonly verified: Verified }

interface Run {
  readonly id: string
  readonly trusted: string | null
  readonly verification: Verification
  readonly ended: Promise<Verified>
  isOver: boolean
}

export class Verifications {
  readonly #options: Omit<VerificationOptions, 'trusted' | 'client'>
  #last: Run | null = null
  #count = 0

  constructor(options: Omit<VerificationOptions, 'trusted' | 'client'>) {
    this.#options = options
  }

  /**
   * Begins one, or joins the one that runs.
   * @throws VerifyRunningError when another worker is trusted in that
   */
  begin({ trusted, client }: Pick<VerificationOptions, 'trusted' | 'client'>): string {
    if (this.#last?.isOver === false) {
      if (this.#last.trusted !== trusted) throw new VerifyRunningError()
      return this.#last.id
    }
    const verification = new Verification({ ...this.#options, trusted, client })
    const ended = verification.run()
    const run: Run = { id: `${++this.#count}`, trusted, verification, ended, isOver: false }
    const over = () => {
      run.isOver = true
    }
    ended.then(over, over)
    this.#last = run
    return run.id
  }

  /**
   * Waits so long for the end of the one that began last; null when none has.
   * @throws what it failed with
   */
  async look(waitMs: number): Promise<Looked | null> {
    const run = this.#last
    if (run === null) return null
    const verified = await Promise.race([run.ended, sleep(waitMs, null, { ref: false })])
    if (verified !== null) return { kind: 'done', verified }
    return { kind: 'running', running: { id: run.id, ...run.verification.progress } }
  }
}
