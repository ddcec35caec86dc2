/**
 * Lets a request through to its route, or refuses it: the instance is frozen, or the
 * operation disabled. Operations are the routes that have an `operationId`; whatever has
 * none (health, metrics, controls) is always answered.
 */

import { FrozenError, OperationDisabledError } from '../../wire/operation-errors.ts'
import type { Http } from '../http/instance.ts'

export class Gate {
  /** Names of all that passes here. */
  readonly operations = new Set<string>()
  #frozen = false
  #disabled: ReadonlySet<string> = new Set()

  set({ frozen, disabled }: { frozen: boolean; disabled: readonly string[] }): void {
    this.#frozen = frozen
    this.#disabled = new Set(disabled)
  }

  /** For most of the time: nothing has to be looked up. */
  get open(): boolean {
    return !this.#frozen && this.#disabled.size === 0
  }

  get frozen(): boolean {
    return this.#frozen
  }

  isDisabled(operation: string): boolean {
    return this.#disabled.has(operation)
  }

  /** @throws OperationDisabledError, FrozenError */
  check(operation: string): void {
    const refusal = this.open ? undefined : this.refusal(operation)
    if (refusal !== undefined) throw refusal
  }

  /** @returns why the operation is refused */
  refusal(operation: string): Error | undefined {
    if (this.#disabled.has(operation)) return new OperationDisabledError(operation)
    return this.#frozen ? new FrozenError() : undefined
  }
}

/** Before routes are added. */
export function guard(app: Http, gate: Gate): void {
  app.addHook('onRoute', ({ schema }) => {
    if (schema?.operationId !== undefined) gate.operations.add(schema.operationId)
  })
  app.addHook('onRequest', (request, _reply, done) => {
    const operation = gate.open ? undefined : request.routeOptions.schema?.operationId
    done(operation === undefined ? undefined : gate.refusal(operation))
  })
}
