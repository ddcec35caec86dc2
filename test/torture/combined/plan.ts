/**
 * Which faults strike together. Pure: a seed draws the same rounds again. Invariants:
 * - A round has two or three faults that begin within two seconds of each other.
 * - Each pair of a kind and a victim comes once before any comes again, so that every
 *   process is stopped, and every clock jumps, in a run that is long enough.
 * - At most one fault of a round takes data away: nobody survives the loss of all copies.
 */
import type { Dice } from '../../../testing/random.ts'

export const KINDS = [
  ...(['pause', 'kill', 'down', 'lose', 'cut', 'expire'] as const),
  ...(['clock', 'disk-full', 'disk-hang', 'descriptors'] as const),
  ...(['connections', 'keys', 'tables'] as const)
] as const
export type Kind = (typeof KINDS)[number]

const WORKERS = ['master', 'replica'] as const
const DATABASES = ["the master's database", "a replica's database"] as const
const ORCHESTRATORS = ['orchestrator', 'orchestrator-2'] as const
const SERVICES = ['users-api', 'rides-api', 'lb'] as const
const SERVERS = ['rabbitmq', 'zookeeper'] as const
const PROCESSES = [
  ...([...WORKERS, ...DATABASES, ...ORCHESTRATORS] as const),
  ...([...SERVICES, ...SERVERS] as const)
] as const

/** What each kind can strike. `load` is what clients do, and strikes nobody in particular. */
const VICTIMS = {
  pause: [...PROCESSES, 'all workers'],
  kill: [...PROCESSES, 'all workers'],
  down: SERVERS,
  lose: WORKERS,
  cut: [...WORKERS, ...ORCHESTRATORS],
  expire: [...WORKERS, ...ORCHESTRATORS],
  clock: [...DATABASES, ...ORCHESTRATORS, ...SERVICES, ...SERVERS, 'everything'],
  'disk-full': WORKERS,
  'disk-hang': WORKERS,
  descriptors: [...WORKERS, ...DATABASES, ...ORCHESTRATORS, ...SERVERS],
  connections: ['load'],
  keys: ['load'],
  tables: ['load']
} as const satisfies Readonly<Record<Kind, readonly string[]>>
export type Victim = (typeof VICTIMS)[Kind][number]

export interface Planned {
  readonly kind: Kind
  readonly of: Victim
  /** After the beginning of its round. */
  readonly afterMs: number
  /** 0 for what is over at once. */
  readonly lastsMs: number
  /** Of a clock. */
  readonly jumpS?: number
}

const BESIDE_MS = 2_000
const LASTS_MS = { least: 1_000, most: 40_000 }
/** What nobody but its own clients wait for need not last. */
const LOAD_MS = { least: 5_000, most: 15_000 }
const AT_ONCE: readonly Kind[] = ['kill', 'lose', 'expire']
const LOADS: readonly Kind[] = ['connections', 'keys', 'tables']
const HOUR_S = 3_600
/** Beyond each time that anything is kept for, in both directions. */
const JUMPS_S = [-365 * 24, -24, -2, -0.1, 0.1, 2, 24, 10 * 365 * 24].map(h => h * HOUR_S)

/** Draws one round after the other, without an end. */
export function* drawRounds(
  kinds: readonly Kind[],
  dice: Dice,
  atMostMs: number = LASTS_MS.most
): Generator<readonly Planned[], never> {
  let bag: Pick<Planned, 'kind' | 'of'>[] = []
  for (;;) {
    const wanted = dice.between(2, 3)
    const round: typeof bag = []
    const left: typeof bag = []
    while (round.length < wanted) {
      // Those left over come first in the next round.
      if (bag.length === 0) bag = shuffled(all(kinds), dice)
      const next = bag.pop() as Pick<Planned, 'kind' | 'of'>
      if (fits(next, round)) round.push(next)
      else left.push(next)
      if (left.length > 2 * all(kinds).length) break // There is nothing that fits.
    }
    bag.push(...left)
    yield round.map(one => detailed(one, dice, atMostMs))
  }
}

/** For people. */
export function textOf({ kind, of, lastsMs, jumpS }: Planned): string {
  const lasts = lastsMs === 0 ? '' : ` for ${(lastsMs / 1_000).toFixed(1)} s`
  const jump = jumpS === undefined ? '' : ` by ${jumpS > 0 ? '+' : ''}${jumpS / HOUR_S} h`
  return of === 'load' ? `${kind}${lasts}` : `${kind} of ${of}${jump}${lasts}`
}

const all = (kinds: readonly Kind[]) =>
  kinds.flatMap(kind => VICTIMS[kind].map(of => ({ kind, of })))

/** Whether it may strike together with those. */
function fits(
  { kind, of }: Pick<Planned, 'kind' | 'of'>,
  round: readonly Pick<Planned, 'kind' | 'of'>[]
): boolean {
  // A server that is stopped and killed at once has one fault and not two.
  if (round.some(other => other.of === of && (of !== 'load' || other.kind === kind))) return false
  const kinds = [kind, ...round.map(other => other.kind)]
  const victims = [of, ...round.map(other => other.of)]
  const losses = kinds.filter(one => one === 'lose').length
  return losses === 0 || (losses === 1 && !victims.includes('all workers'))
}

function detailed(
  { kind, of }: Pick<Planned, 'kind' | 'of'>,
  dice: Dice,
  atMostMs: number
): Planned {
  const { least, most } = LOADS.includes(kind) ? LOAD_MS : LASTS_MS
  const top = Math.max(least, Math.min(most, atMostMs))
  // Longer ones are rarer.
  const drawn = Math.round(least * (top / least) ** dice.next())
  const lastsMs = AT_ONCE.includes(kind) ? 0 : drawn
  // A folder is taken while all copies are there; else it might be the last one.
  const afterMs = kind === 'lose' ? 0 : dice.between(0, BESIDE_MS)
  const jumpS = dice.pick(JUMPS_S) as number
  return { kind, of, afterMs, lastsMs, ...(kind === 'clock' ? { jumpS } : {}) }
}

function shuffled<T>(from: readonly T[], dice: Dice): T[] {
  const drawn = from.map(one => ({ one, at: dice.next() }))
  return drawn.sort((a, b) => a.at - b.at).map(({ one }) => one)
}
