/**
 * Whether the guarantees held, from what clients were told (the history), what was there
 * in the end, what the workers' sums say, and who led when. Pure.
 */
import { agedReads } from '../../testing/history/age.ts'
import type {
  Change,
  Consistency,
  History,
  Operation,
  Problem,
  Promises,
  Read
} from '../../testing/history/history.ts'
import { problemsIn, told } from '../../testing/history/laws.ts'
import { commandsOf } from '../../testing/history/objects.ts'
import { elementsOf } from '../../testing/history/set.ts'

export const GUARANTEES = {
  G1: 'no acknowledged write is lost',
  G2: 'each is applied once, and none that failed',
  G3: 'all workers hold the same rows',
  G4: 'one master per term, one place in the log for each write',
  G5: 'no read is older than promised, or shows what vanishes',
  G6: 'a death is a slow answer, not an error'
} as const
export type Guarantee = keyof typeof GUARANTEES

/** A mastership that somebody saw begin. */
export interface Election {
  /** Since the beginning of the load. */
  readonly atS: number
  readonly term: number
  readonly pid: number
  /** Without a master before it; null where nobody saw its beginning. */
  readonly durationMs: number | null
}

export interface Evidence {
  /** Of all clients, the last reads included. */
  readonly history: History
  /** Everything, read once more when nothing was written any more. */
  readonly last: readonly Operation[]
  /** What no client could know: workers that differ, a system that did not get whole again. */
  readonly differing: readonly string[]
  readonly broken: readonly string[]
  readonly elections: readonly Election[]
  /** Of requests that failed. */
  readonly errors: readonly string[]
  readonly promises: Promises
}

export interface Verdict {
  readonly held: boolean
  /** What breaks each; empty where it held. */
  readonly problems: Readonly<Record<Guarantee, readonly string[]>>
  readonly acknowledged: number
  readonly unknown: number
  readonly lost: number
  readonly doubled: number
  /** Told as failed for certain, and there. */
  readonly undead: number
  readonly stale: Readonly<Record<Consistency, number>>
  readonly clientErrors: number
}

/** Which promise a law of `testing/history/` stands for. */
const GUARANTEE_OF: Readonly<Record<string, Guarantee>> = {
  outcomes: 'G2',
  counter: 'G2',
  bank: 'G2',
  places: 'G4'
}
/** More of a kind say nothing new. */
const TOLD_MAX = 5

export function judge(evidence: Evidence): Verdict {
  const { history, last, differing, broken, elections, errors, promises } = evidence
  const commands = commandsOf(history)
  const shown = shownIn(last)
  const inserted = commands.filter(isInsert)
  const done = inserted.filter(({ outcome }) => outcome === 'ok')
  const unread = done.filter(one => !shown.has(objectOf(one)))
  const lost = done.filter(one => shown.has(objectOf(one)) && timesIn(shown, one) === 0)
  const doubled = inserted.filter(one => timesIn(shown, one) > 1)
  const undead = inserted.filter(one => one.outcome === 'failed' && timesIn(shown, one) > 0)
  const stale = staleReads(history, promises)
  const laws = [...problemsIn(history, promises)]
  const of = (guarantee: Guarantee) => laws.filter(law => guaranteeOf(law) === guarantee).map(told)
  const problems = {
    G1: [
      ...lost.map(one => `lost: ${nameOf(one)}`),
      // Not lost for certain; but nobody can say that they are there.
      ...(unread.length === 0 ? [] : [`${unread.length} could not be looked for at the end`])
    ],
    G2: [
      ...doubled.map(one => `there ${timesIn(shown, one)} times: ${nameOf(one)}`),
      ...undead.map(one => `failed, and there: ${nameOf(one)}`),
      ...of('G2')
    ],
    G3: differing,
    G4: [...rivals(elections), ...of('G4')],
    G5: of('G5'),
    G6: [...errors, ...broken]
  }
  return {
    held: Object.values(problems).every(found => found.length === 0),
    problems: few(problems),
    acknowledged: commands.filter(({ outcome }) => outcome === 'ok').length,
    unknown: commands.filter(({ outcome }) => outcome === 'unknown').length,
    ...{ lost: lost.length, doubled: doubled.length, undead: undead.length, stale },
    clientErrors: errors.length
  }
}

const guaranteeOf = ({ law }: Problem): Guarantee => GUARANTEE_OF[law] ?? 'G5'

const isInsert = ({ action }: Change): boolean => 'element' in action

const elementIn = ({ action }: Change): number => ('element' in action ? action.element : 0)

/** How often the last reading shows each element, by object. */
function shownIn(last: readonly Operation[]): ReadonlyMap<string, ReadonlyMap<number, number>> {
  const shown = new Map<string, Map<number, number>>()
  for (const operation of last) {
    if (operation.kind !== 'read') continue
    const times = new Map<number, number>()
    for (const element of elementsOf(operation)) times.set(element, (times.get(element) ?? 0) + 1)
    shown.set(objectOf(operation), times)
  }
  return shown
}

const objectOf = ({ model, key }: Operation): string => `${model} ${key}`

const timesIn = (shown: ReturnType<typeof shownIn>, change: Change): number =>
  shown.get(objectOf(change))?.get(elementIn(change)) ?? 0

const nameOf = (change: Change): string =>
  `${elementIn(change)} of ${change.key}, index ${change.index ?? 'unknown'}, ${change.requestId}`

/** By the index of each answer; what carries none is judged by what it shows. */
function staleReads(history: History, promises: Promises): Record<Consistency, number> {
  const stale = { replica: 0, session: 0, strong: 0 }
  for (const { read } of agedReads(history, promises)) stale[read.consistency] += 1
  for (const operation of history) if (isBehindItsSession(operation)) stale.session += 1
  return stale
}

const isBehindItsSession = (operation: Operation): operation is Read =>
  operation.kind === 'read' &&
  operation.index !== null &&
  operation.minIndex !== null &&
  operation.index < operation.minIndex

function rivals(elections: readonly Election[]): string[] {
  const masters = new Map<number, Set<number>>()
  for (const { term, pid } of elections) {
    masters.set(term, (masters.get(term) ?? new Set()).add(pid))
  }
  return [...masters]
    .filter(([, pids]) => pids.size > 1)
    .map(([term, pids]) => `masters of term ${term}: pids ${[...pids].join(' and ')}`)
}

function few(problems: Record<Guarantee, readonly string[]>): Verdict['problems'] {
  const told = Object.entries(problems).map(([guarantee, found]) => [
    guarantee,
    found.length <= TOLD_MAX
      ? found
      : [...found.slice(0, TOLD_MAX), `and ${found.length - TOLD_MAX} more`]
  ])
  return Object.fromEntries(told) as Verdict['problems']
}
