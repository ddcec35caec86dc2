/**
 * Who is right, where workers found different things at the same index. Pure.
 *
 * Invariants:
 * - nobody is called wrong unless more than half of those compared agree on something else, or
 *   an operator has named the worker that is right
 * - nobody is called wrong when nobody would be left who is right in everything
 */
import type { Item } from '../../wire/verify.ts'

/** What each worker found in one part. */
export type Ballots = ReadonlyMap<string, readonly Item[]>

/** By worker: names of what it has otherwise than it should be. */
export type Names = ReadonlyMap<string, readonly string[]>

export interface Tally {
  readonly wrong: Names
  /** Of workers that differ where no majority agrees. */
  readonly undecided: Names
  /** What is wrong with a worker whatever others have. */
  readonly faults: Names
  /** What is right, as far as it is known; undecided items as `preferred` has them. */
  readonly items: readonly Item[]
}

const keyOf = ({ kind, name }: Item): string => `${kind} ${name}`
const ABSENT = ''
const textOf = (item: Item | undefined): string =>
  item === undefined ? ABSENT : `${item.rows ?? ''} ${item.sum}`

/** What an operator is told: the bare name where the rows of a table differ. */
function nameOf({ kind, name }: Item): string {
  if (kind === 'rows') return name
  return kind === 'position' ? `position of sequence ${name}` : `${kind} ${name}`
}

/** @param by.trusted whose data an operator has called right, of those that voted */
export function vote(
  ballots: Ballots,
  by: { readonly trusted: string | null; readonly preferred: string | null }
): Tally {
  const wrong = new Map<string, string[]>()
  const undecided = new Map<string, string[]>()
  const faults = new Map<string, string[]>()
  const items: Item[] = []
  const sheets = new Map(
    [...ballots].map(([id, all]) => [id, new Map(all.map(item => [keyOf(item), item]))])
  )
  for (const [id, all] of ballots) {
    const own = all.filter(({ kind }) => kind === 'fault')
    if (own.length > 0)
      faults.set(
        id,
        own.map(({ name, sum }) => `${name} ${sum}`)
      )
  }
  for (const key of new Set([...sheets.values()].flatMap(sheet => [...sheet.keys()]))) {
    if (key.startsWith('fault ')) continue
    const found = new Map([...sheets].map(([id, sheet]) => [id, sheet.get(key)]))
    const right = rightOf(found, by.trusted)
    const shown = right === null ? found.get(by.preferred ?? '') : found.get(right)
    const item = shown ?? [...found.values()].find(one => one !== undefined)
    if (item === undefined) continue
    if (shown !== undefined) items.push(item)
    for (const [id, one] of found) {
      if (right === null) add(undecided, id, nameOf(item))
      else if (textOf(one) !== textOf(found.get(right))) {
        add(wrong, id, differenceOf(item, one, found.get(right)))
      }
    }
  }
  return { wrong, undecided, faults, items }
}

function differenceOf(item: Item, own: Item | undefined, right: Item | undefined): string {
  if (own === undefined) return `${nameOf(item)} (missing)`
  return right === undefined ? `${nameOf(item)} (not in the others)` : nameOf(item)
}

/** One of those that are right; null where nobody can say. */
function rightOf(
  found: ReadonlyMap<string, Item | undefined>,
  trusted: string | null
): string | null {
  if (trusted !== null && found.has(trusted)) return trusted
  const groups = Map.groupBy(found.keys(), id => textOf(found.get(id)))
  const [largest = []] = [...groups.values()].sort((a, b) => b.length - a.length)
  return 2 * largest.length > found.size ? (largest[0] ?? null) : null
}

const add = (names: Map<string, string[]>, id: string, name: string): void =>
  void names.set(id, [...(names.get(id) ?? []), name])

/** Findings of all parts, each name once. */
export class Findings {
  readonly #wrong = new Map<string, Set<string>>()
  readonly #undecided = new Map<string, Set<string>>()
  readonly #faults = new Map<string, Set<string>>()

  add(tally: Tally): void {
    collect(this.#wrong, tally.wrong)
    collect(this.#undecided, tally.undecided)
    collect(this.#faults, tally.faults)
  }

  /** What was found at `id`; empty when all is well. */
  of(id: string): string[] {
    const all = [this.#wrong, this.#undecided, this.#faults].map(names => names.get(id) ?? [])
    return [
      ...all
        .slice(0, 2)
        .flatMap(names => [...names])
        .sort(),
      ...(all[2] ?? [])
    ]
  }

  /**
   * Workers whose data is to be replaced, and what was found there.
   * @param compared those that answered to the end
   */
  verdict({ compared, trusted }: { compared: readonly string[]; trusted: string | null }) {
    const sound = compared.filter(id => id === trusted || this.of(id).length === 0)
    if (sound.length === 0) return new Map<string, string>()
    const accused = new Set([...this.#wrong.keys(), ...this.#faults.keys()])
    const wrong = [...accused].filter(id => id !== trusted)
    return new Map(wrong.map(id => [id, this.of(id).join(', ')]))
  }
}

function collect(into: Map<string, Set<string>>, names: Names): void {
  for (const [id, list] of names) into.set(id, new Set([...(into.get(id) ?? []), ...list]))
}
