/**
 * All laws at once: what the simulator and the torture run call.
 */
import { checkAges } from './age.ts'
import { checkBank } from './bank.ts'
import { checkCounter } from './counter.ts'
import type { Check, History, Model, Operation, Problem, Promises } from './history.ts'
import { checkList } from './list.ts'
import { type ObjectCheck, objectsOf } from './objects.ts'
import { checkOutcomes } from './outcomes.ts'
import { checkPlaces, checkShown } from './places.ts'
import { checkRegister } from './register.ts'
import { checkSequence } from './sequential.ts'
import { checkSessions } from './session.ts'
import { checkSet } from './set.ts'

const LAWS: readonly Check[] = [checkOutcomes, checkPlaces, checkAges, checkSessions]

const LAWS_OF: Record<Model, readonly ObjectCheck[]> = {
  register: [checkShown, checkRegister],
  set: [checkShown, checkSet, checkSequence],
  list: [checkShown, checkList],
  counter: [checkShown, checkCounter],
  bank: [checkShown, checkBank]
}

/** One problem of each law that is broken, of each object. */
export function* problemsIn(history: History, promises: Promises): Generator<Problem> {
  for (const law of LAWS) {
    const problem = law(history, promises)
    if (problem !== null) yield problem
  }
  for (const object of objectsOf(history)) {
    for (const law of LAWS_OF[object.model]) {
      const problem = law(object, promises)
      if (problem !== null) yield problem
    }
  }
}

export const checkHistory: Check = (history, promises) => {
  const [first] = problemsIn(history, promises).take(1)
  return first ?? null
}

/** A problem for people: the law, and a line for each operation that shows it. */
export function told({ law, because, operations }: Problem): string {
  return [`${law}: ${because}`, ...operations.map(operation => `  ${lineOf(operation)}`)].join('\n')
}

function lineOf(operation: Operation): string {
  const { process, model, key, beginMs, endMs, outcome, index } = operation
  const when = `${beginMs.toFixed(1)} to ${endMs.toFixed(1)} ms`
  const what =
    operation.kind === 'change'
      ? `${JSON.stringify(operation.action)} as ${operation.requestId}`
      : `${operation.consistency} read from ${operation.minIndex ?? 0}: ${JSON.stringify(operation.value)}`
  return `${when} ${process} ${model} ${key} ${what}: ${outcome} at ${index ?? 'no index'}`
}
