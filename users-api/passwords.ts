/**
 * Slow salted hashes of passwords. What arrives is a SHA-1 that a client made, so it
 * is guarded like the password itself.
 * Invariants:
 * - At most two are computed at once, the CPUs belong to the databases too; a bounded
 *   number waits, more are refused.
 * - The same call with the same Idempotency-Key makes the same hash: the salt is
 *   derived from the request id. Without a key of the caller that id is random.
 */
import { hash, scrypt } from 'node:crypto'
import { promisify } from 'node:util'
import { OverloadedError } from '../wire/errors.ts'
import { InvalidPasswordError } from './errors.ts'

const AT_ONCE = 2
const BLOCK_SIZE = 8
const PARALLELISM = 1
const HASH_BYTES = 32
const SALT_BYTES = 16

const derive = promisify<string, Buffer, number, import('node:crypto').ScryptOptions, Buffer>(
  scrypt
)

export interface PasswordHashing {
  /** Cost N of scrypt: 2 to the power of this. */
  readonly costLog2: number
  readonly queueMax: number
}

/** @throws InvalidPasswordError unless `password` is exactly 40 hex digits, of either case */
export function checkPassword(password: string): void {
  if (!/^[0-9a-fA-F]{40}$/.test(password)) throw new InvalidPasswordError()
}

export class PasswordHasher {
  readonly #options: PasswordHashing
  readonly #waiting: (() => void)[] = []
  #running = 0

  constructor(options: PasswordHashing) {
    this.#options = options
  }

  /**
   * @param requestId of the write that stores the hash
   * @throws OverloadedError when too many wait already
   */
  async hash(password: string, requestId: string): Promise<string> {
    await this.#turn()
    try {
      return await this.#compute(password, requestId)
    } finally {
      const next = this.#waiting.shift()
      // The place is handed on, not freed: nobody can come between.
      if (next === undefined) this.#running--
      else next()
    }
  }

  async #turn(): Promise<void> {
    if (this.#running < AT_ONCE) {
      this.#running++
      return
    }
    if (this.#waiting.length >= this.#options.queueMax) {
      throw new OverloadedError('too many passwords wait to be hashed')
    }
    await new Promise<void>(resolve => this.#waiting.push(resolve))
  }

  async #compute(password: string, requestId: string): Promise<string> {
    const { costLog2 } = this.#options
    const cost = 2 ** costLog2
    const salt = hash('sha256', `salt:${requestId}`, 'buffer').subarray(0, SALT_BYTES)
    const maxmem = 2 * 128 * cost * BLOCK_SIZE
    const settings = { N: cost, r: BLOCK_SIZE, p: PARALLELISM, maxmem }
    // Either case of the hex digits is the same SHA-1.
    const derived = await derive(password.toLowerCase(), salt, HASH_BYTES, settings)
    const parts = [costLog2, BLOCK_SIZE, PARALLELISM, base64(salt), base64(derived)]
    return `scrypt$${parts.join('$')}`
  }
}

const base64 = (bytes: Buffer) => bytes.toString('base64url')
