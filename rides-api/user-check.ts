/**
 * Whether a user exists. Only users-api knows, and it is asked through lb, once per
 * ride created or joined.
 */
import { type Answered, Caller, type Context, GivenUpError } from '../client/caller.ts'
import { isDisabled } from '../client/errors.ts'
import { Targets } from '../client/targets.ts'
import { OperationDisabledError } from '../wire/operation-errors.ts'
import { UsersUnavailableError } from './errors.ts'

export class UserCheck implements AsyncDisposable {
  readonly #caller: Caller

  constructor(options: { readonly lbUrl: string; readonly origin: string }) {
    const targets = new Targets([options.lbUrl])
    this.#caller = new Caller({ targets, headers: { origin: options.origin } })
  }

  /**
   * @returns the log index at which the user existed; undefined when there is no such user
   * @throws UsersUnavailableError users-api did not answer before the deadline
   */
  async existsAt(username: string, context: Context): Promise<number | undefined> {
    const path = `/api/v1/users?username=${encodeURIComponent(username)}`
    const answer = await this.#get(path, context)
    if (answer.status === 204) return undefined
    const index = answer.headers['convoy-index']
    if (answer.status === 200 && typeof index === 'string') return Number(index)
    if (isDisabled(answer)) throw new OperationDisabledError()
    throw new UsersUnavailableError({ cause: new Error(`users-api answered ${answer.status}`) })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#caller[Symbol.asyncDispose]()
  }

  async #get(path: string, context: Context): Promise<Answered> {
    try {
      return await this.#caller.call({ method: 'GET', path }, context)
    } catch (cause) {
      if (cause instanceof GivenUpError) throw new UsersUnavailableError({ cause })
      throw cause
    }
  }
}
