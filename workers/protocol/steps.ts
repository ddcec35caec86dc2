/**
 * Small pieces that every role's decisions are made of.
 */
import type { Entry } from '../entry.ts'
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

/** In characters, of which none takes more than 3 bytes. */
export const sizeOf = (entry: Entry): number => entry.changes.length + entry.result.length

/** The first of them, as many as fit into `maxSize`, but one at least. */
export function firstWithin(entries: readonly Entry[], maxSize: number): readonly Entry[] {
  let size = 0
  for (const [i, entry] of entries.entries()) {
    size += sizeOf(entry)
    if (i > 0 && size > maxSize) return entries.slice(0, i)
  }
  return entries
}
