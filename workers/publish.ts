/**
 * Keeps the worker's znode in step with what it is, and tells the protocol when a
 * candidacy stands there for others to see.
 */
import type { Logger } from '../platform/log.ts'
import type { Loop } from './loop.ts'
import type { State } from './protocol/state.ts'
import { isNamed } from './protocol/steps.ts'
import type { View } from './protocol/view.ts'
import type { Registration } from './registration.ts'

export function publishRole(options: {
  loop: Loop
  registration: Registration
  log: Logger
  /** Whether reads that were taken are still to be answered. */
  busy: () => boolean
}): void {
  const { loop, registration, log, busy } = options
  let shown = ''
  const show = (view: View, state: State) => {
    const { term, trouble, diverged, inDoubt, yields } = view
    // Whoever sees that it has left may end it.
    const role = view.role === 'left' && busy() ? 'replica' : view.role
    const key = JSON.stringify([role, term, trouble, diverged, yields, state.amqp])
    if (key === shown) return
    shown = key
    const { index, term: lastTerm } = state.last
    const said = registration.show(state.self.id, {
      ...{ role, term, trouble, diverged, inDoubt, yields },
      last: { index, term: lastTerm },
      reachesAmqp: state.amqp,
      needsFrom: isNamed(state) ? null : index
    })
    said.then(
      () => {
        if (role === 'candidate') loop.dispatch({ kind: 'published', term })
      },
      (err: unknown) => log.warn({ err }, 'the znode could not be updated')
    )
  }
  loop.onStep(show)
  show(loop.view, loop.state)
}
