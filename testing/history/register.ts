/**
 * Registers with compare-and-swap: changes and `strong` reads are linearizable.
 */
import type { Operation } from './history.ts'
import { linearize, type Machine } from './linearize.ts'
import type { ObjectCheck } from './objects.ts'

/** The value, null before the first write. */
const REGISTER: Machine<number | null> = {
  initial: null,
  next(value, operation) {
    if (operation.kind === 'read') return operation.value === value ? value : undefined
    const { action, outcome } = operation
    if (action.do === 'write') return action.value
    if (action.do !== 'swap') return undefined
    if (outcome === 'rejected') return action.from === value ? undefined : value
    return action.from === value ? action.to : undefined
  }
}

export const checkRegister: ObjectCheck = ({ key, changes, reads }) => {
  const operations: Operation[] = [
    ...changes.filter(({ outcome }) => outcome !== 'failed'),
    ...reads.filter(({ consistency }) => consistency === 'strong')
  ]
  const verdict = linearize(operations, REGISTER)
  if (verdict.kind === 'linearizable') return null
  const because =
    verdict.kind === 'impossible'
      ? `register ${key} is not linearizable: none of these can come next`
      : `register ${key}: undecided, the search was given up here`
  return { law: 'register', because, operations: verdict.stuck }
}
