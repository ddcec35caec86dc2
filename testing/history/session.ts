/**
 * Sessions: a `session` read shows its process's own writes, and all that its earlier
 * reads showed (monotonic reads), up to the index that it asked for.
 */
import type { Change, Check, History, Operation, Problem, Read } from './history.ts'
import { elementsOf } from './set.ts'

export const checkSessions: Check = history => {
  for (const told of processesOf(history)) {
    const problem = checkProcess(told)
    if (problem !== null) return problem
  }
  return null
}

/** What each process was told, in the order in which it asked. */
function processesOf(history: History): Iterable<Operation[]> {
  const processes = new Map<string, Operation[]>()
  for (const operation of history) {
    if (operation.outcome !== 'ok') continue
    const before = processes.get(operation.process)
    if (before === undefined) processes.set(operation.process, [operation])
    else before.push(operation)
  }
  for (const told of processes.values()) told.sort((a, b) => a.beginMs - b.beginMs)
  return processes.values()
}

interface Earlier {
  readonly changes: Change[]
  /** Each showed more than the one before. */
  readonly reads: Read[]
}

function checkProcess(told: readonly Operation[]): Problem | null {
  const objects = new Map<string, Earlier>()
  for (const operation of told) {
    const name = `${operation.model} ${operation.key}`
    const earlier = objects.get(name) ?? { changes: [], reads: [] }
    objects.set(name, earlier)
    if (operation.kind === 'change') {
      earlier.changes.push(operation)
      continue
    }
    if (operation.consistency === 'session' && operation.minIndex !== null) {
      const problem = checkRead(operation, operation.minIndex, earlier)
      if (problem !== null) return problem
    }
    const most = earlier.reads.at(-1)
    if (most === undefined || extentOf(operation) > extentOf(most)) earlier.reads.push(operation)
  }
  return null
}

function checkRead(read: Read, minIndex: number, earlier: Earlier): Problem | null {
  if (read.index !== null && read.index < minIndex) {
    return broken(`index ${read.index} is below the ${minIndex} asked for`, read)
  }
  const isAsked = ({ index }: Operation) => index !== null && index <= minIndex
  const shown = new Set(elementsOf(read))
  const own = earlier.changes.findLast(change => isAsked(change) && isMissing(change, shown))
  if (own !== undefined) return broken('a process does not see its own write', own, read)
  const before = earlier.reads.findLast(isAsked)
  if (before !== undefined && extentOf(before) > extentOf(read)) {
    return broken('a process sees less than it saw before', before, read)
  }
  return null
}

function isMissing({ action }: Change, shown: ReadonlySet<number>): boolean {
  return (action.do === 'insert' || action.do === 'append') && !shown.has(action.element)
}

/** Of what only grows: how far it has come. Of the rest nothing is known. */
function extentOf(read: Read): number {
  if (read.model === 'set' || read.model === 'list') return elementsOf(read).length
  return read.model === 'counter' && typeof read.value === 'number' ? read.value : 0
}

function broken(because: string, ...operations: readonly Operation[]): Problem {
  return { law: 'session', because, operations }
}
