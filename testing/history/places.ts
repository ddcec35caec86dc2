/**
 * Places: the index answered is a place in one log. No two commands have the same, a
 * later command has a later one, and a read at an index shows exactly what is at or
 * below it. Stricter than the other laws, which would take any answer that could be true.
 */
import type { Change, Check, Operation, Problem, Read } from './history.ts'
import { countUpTo } from './moments.ts'
import { commandsOf, type ObjectCheck } from './objects.ts'
import { elementsOf } from './set.ts'

const placeOf = ({ index }: Operation): number => index ?? 0

/** Of a list of commands: which have a place, in its order. */
const placed = (changes: readonly Change[]): Change[] =>
  changes
    .filter(({ outcome, index }) => outcome === 'ok' && index !== null)
    .sort((a, b) => placeOf(a) - placeOf(b))

export const checkPlaces: Check = history => {
  let newest: Change | null = null
  let before: Change | null = null
  for (const command of placed(commandsOf(history))) {
    if (before !== null && before.index === command.index) {
      return broken('two commands have one place', before, command)
    }
    if (newest !== null && command.endMs < newest.beginMs) {
      return broken('a command has a place behind a later one', newest, command)
    }
    if (newest === null || command.beginMs > newest.beginMs) newest = command
    before = command
  }
  return null
}

export const checkShown: ObjectCheck = ({ model, changes, reads }) => {
  const known = placed(changes)
  const places = known.map(placeOf)
  const unknown = changes.filter(({ outcome }) => outcome === 'unknown')
  const byPlace = reads.filter(({ index }) => index !== null)
  byPlace.sort((a, b) => placeOf(a) - placeOf(b))
  let before: Read | null = null
  for (const read of byPlace) {
    if (before !== null && before.index === read.index && !isSame(before, read)) {
      return broken('two reads at one index differ', before, read)
    }
    const done = countUpTo(places, placeOf(read))
    const wrong =
      model === 'register'
        ? checkRegister(read, known[done - 1], unknown)
        : checkElements(read, known, done)
    if (wrong !== null) return wrong
    before = read
  }
  return null
}

function isSame(a: Read, b: Read): boolean {
  if (a.model === 'set') return elementsOf(a).length === elementsOf(b).length
  return String(a.value) === String(b.value)
}

/** The value of the last change up to there, or of one that is not known to have been before it. */
function checkRegister(
  read: Read,
  last: Change | undefined,
  unknown: readonly Change[]
): Problem | null {
  const isOf = ({ action }: Change) =>
    (action.do === 'write' && action.value === read.value) ||
    (action.do === 'swap' && action.to === read.value)
  if (last === undefined ? read.value === null : isOf(last)) return null
  if (unknown.some(change => isOf(change) && change.beginMs <= read.endMs)) return null
  const because = `${read.value} is not the register's value at index ${read.index}`
  return broken(because, ...(last === undefined ? [] : [last]), read)
}

/** Of a set or a list: the first `done` of the known changes, and none of the others. */
function checkElements(read: Read, known: readonly Change[], done: number): Problem | null {
  if (read.model !== 'set' && read.model !== 'list') return null
  const shown = new Set(elementsOf(read))
  const wrong = known.find(({ action }, i) => {
    const element = 'element' in action ? action.element : Number.NaN
    return shown.has(element) !== i < done
  })
  if (wrong === undefined) return null
  const because = `a read at index ${read.index} is wrong about what is at ${wrong.index}`
  return broken(because, wrong, read)
}

function broken(because: string, ...operations: readonly Operation[]): Problem {
  return { law: 'places', because, operations }
}
