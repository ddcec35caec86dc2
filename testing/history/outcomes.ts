/**
 * One outcome per request id: every copy of a command that is answered gets the same
 * answer, so none is told as done here and as failed there, or done at two places.
 */
import type { Change, Check } from './history.ts'

export const checkOutcomes: Check = history => {
  const answers = new Map<string, Change>()
  for (const change of history) {
    if (change.kind !== 'change' || change.outcome === 'unknown') continue
    const before = answers.get(change.requestId)
    if (before === undefined) {
      answers.set(change.requestId, change)
      continue
    }
    if (before.outcome === change.outcome && before.index === change.index) continue
    const because = `request ${change.requestId} has two outcomes`
    return { law: 'outcomes', because, operations: [before, change] }
  }
  return null
}
