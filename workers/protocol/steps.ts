/**
 * Small pieces that every role's decisions are made of.
 */
import type { Effect, Leader, Role, State, Step } from './state.ts'

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

export const ifLeader = (state: State, next: (role: Leader) => Step): Step =>
  state.role.kind === 'leader' ? next(state.role) : stay(state)

/** 0 while nothing is known. */
export const knownTermOf = ({ known }: State): number => known?.state.term ?? 0

/** The in-sync set, as it is known. */
export const membersOf = ({ known }: State): readonly string[] => known?.state.inSync ?? []

export const isNamed = (state: State): boolean => membersOf(state).includes(state.self.id)
