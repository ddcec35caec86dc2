/**
 * Small pieces that every role's decisions are made of.
 */
import type { Effect, Role, State, Step } from './state.ts'

export const stay = (state: State): Step => ({ state, effects: [] })

export const step = (state: State, ...effects: Effect[]): Step => ({ state, effects })

/** `next` decides on what `first` came to; the effects of both are done, in order. */
export function then(first: Step, next: (state: State) => Step): Step {
  const second = next(first.state)
  if (first.effects.length === 0) return second
  return { state: second.state, effects: [...first.effects, ...second.effects] }
}

export const withRole = (state: State, role: Role): State =>
  role === state.role ? state : { ...state, role }

export const isNamed = (state: State): boolean =>
  state.known?.state.inSync.includes(state.self.id) ?? false
