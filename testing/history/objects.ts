/**
 * A history, object by object: what was changed, each command once, and what was
 * read. Objects are judged apart, which is sound for linearizability (a history is
 * linearizable when each of its objects is) and what makes it fast.
 */
import type { Change, History, Model, Outcome, Problem, Promises, Read } from './history.ts'

export interface HistoryOf {
  readonly model: Model
  readonly key: string
  /** In the order in which they were first asked. */
  readonly changes: readonly Change[]
  /** Answered ones, in the order in which they were asked. */
  readonly reads: readonly Read[]
}

/** A law of one object. @returns the first problem found, or null */
export type ObjectCheck = (object: HistoryOf, promises: Promises) => Problem | null

/** What is told outweighs what is not: the copies of one command have one outcome. */
const WEIGHT: Record<Outcome, number> = { ok: 3, rejected: 2, failed: 1, unknown: 0 }

/** Copies of one command as one change, from the first asking to the first answer. */
function merged(a: Change, b: Change): Change {
  const told = WEIGHT[a.outcome] >= WEIGHT[b.outcome] ? a : b
  const endMs = a.outcome === b.outcome ? Math.min(a.endMs, b.endMs) : told.endMs
  return { ...told, beginMs: Math.min(a.beginMs, b.beginMs), endMs, index: told.index }
}

export const mayHaveHappened = ({ outcome }: Change): boolean =>
  outcome === 'ok' || outcome === 'unknown'

/** All changes, the copies of one command merged into one. */
export function commandsOf(history: History): Change[] {
  const commands = new Map<string, Change>()
  for (const operation of history) {
    if (operation.kind !== 'change') continue
    const before = commands.get(operation.requestId)
    const change = before === undefined ? operation : merged(before, operation)
    commands.set(operation.requestId, change)
  }
  return [...commands.values()]
}

export function objectsOf(history: History): HistoryOf[] {
  const objects = new Map<string, { model: Model; key: string; changes: Change[]; reads: Read[] }>()
  const of = ({ model, key }: Change | Read) => {
    const name = `${model} ${key}`
    let object = objects.get(name)
    if (object === undefined) {
      object = { model, key, changes: [], reads: [] }
      objects.set(name, object)
    }
    return object
  }
  for (const change of commandsOf(history)) of(change).changes.push(change)
  for (const operation of history) {
    if (operation.kind === 'read' && operation.outcome === 'ok') of(operation).reads.push(operation)
  }
  for (const { changes, reads } of objects.values()) {
    changes.sort((a, b) => a.beginMs - b.beginMs)
    reads.sort((a, b) => a.beginMs - b.beginMs)
  }
  return [...objects.values()]
}
