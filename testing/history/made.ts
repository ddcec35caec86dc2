/**
 * Operations by hand, for the tests of the checkers: what a test does not name is as
 * dull as can be.
 */
import type { Action, Change, Model, Read, Value } from './history.ts'

const MODEL_OF: Record<Action['do'], Model> = {
  write: 'register',
  swap: 'register',
  insert: 'set',
  append: 'list',
  transfer: 'bank',
  add: 'counter'
}

/** From `beginMs` to `endMs`; told `ok` unless `as` says otherwise. */
export function change(
  [beginMs, endMs]: readonly [number, number],
  action: Action,
  as: Partial<Change> = {}
): Change {
  const asked = { process: 'p', model: MODEL_OF[action.do], key: 'x', beginMs, endMs } as const
  const requestId = `${JSON.stringify(action)} at ${beginMs}`
  return { kind: 'change', ...asked, requestId, action, outcome: 'ok', index: null, ...as }
}

/** A change of which nobody was told. */
export const lost = (beginMs: number, action: Action): Change =>
  change([beginMs, Number.POSITIVE_INFINITY], action, { outcome: 'unknown' })

/** A `strong` read unless `as` says otherwise. */
export function read(
  [beginMs, endMs]: readonly [number, number],
  model: Model,
  value: Value,
  as: Partial<Read> = {}
): Read {
  const asked = { process: 'q', model, key: 'x', beginMs, endMs } as const
  const how = { consistency: 'strong', minIndex: null, index: null, outcome: 'ok' } as const
  return { kind: 'read', ...asked, ...how, value, ...as }
}
