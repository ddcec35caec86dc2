/**
 * Which faults strike when. Pure: a seed draws the same plan again, and a plan is plain
 * JSON, so that one that was carried out can be carried out again, or written by hand.
 */
import Type, { type Static } from 'typebox'
import Value from 'typebox/value'
import { UserError } from '../../local/script.ts'
import type { Dice } from '../../testing/random.ts'

/** Names of faults, as `--faults` takes them. */
const KILLS = [
  ...(['kill-master', 'kill-replica', 'kill-worker', 'kill-orchestrator'] as const),
  ...(['kill-users-api', 'kill-rides-api', 'kill-lb', 'kill-rabbitmq', 'kill-zookeeper'] as const)
] as const
const LASTING = ['pause', 'cut', 'slow', 'disk'] as const
export const FAULTS = [...KILLS, ...LASTING] as const
export type FaultName = (typeof FAULTS)[number]

const SERVICES = ['orchestrator', 'users-api', 'rides-api', 'lb', 'rabbitmq', 'zookeeper'] as const
const WORKERS = ['master', 'replica', 'worker'] as const
const PARTIES = ['master', 'replica', 'orchestrator'] as const
const FROM = ['rabbitmq', 'zookeeper', 'everything'] as const

const atS = Type.Number({ minimum: 0 })
const lastsS = Type.Number({ exclusiveMinimum: 0, maximum: 60 })
const between = { of: Type.Enum([...PARTIES]), from: Type.Enum([...FROM]) }
const strict = { additionalProperties: false }

/** A worker called `worker` is any; which replica, which of two orchestrators, is drawn when it strikes. */
const Planned = Type.Union([
  Type.Object({ atS, fault: Type.Enum([...KILLS]) }, strict),
  Type.Object(
    { atS, fault: Type.Literal('pause'), of: Type.Enum([...WORKERS, ...SERVICES]), lastsS },
    strict
  ),
  Type.Object({ atS, fault: Type.Literal('cut'), ...between, lastsS }, strict),
  Type.Object(
    { atS, fault: Type.Literal('slow'), ...between, delayMs: Type.Number({ minimum: 1 }), lastsS },
    strict
  ),
  Type.Object(
    { atS, fault: Type.Literal('disk'), of: Type.Enum(['master', 'replica']), lastsS },
    strict
  )
])
export type PlannedFault = Static<typeof Planned>
export type Victim = (typeof WORKERS)[number] | (typeof SERVICES)[number]

/** Whom a cut or a slow network strikes, and on the way to what. */
export interface Cuts {
  readonly of: readonly (typeof PARTIES)[number][]
  readonly from: readonly (typeof FROM)[number][]
}

const ANY_CUT: Cuts = { of: PARTIES, from: FROM }

/** So long clients are served before the first fault. */
const CALM_S = 5
/** One of which there is no other may be away for less than a client waits. */
const LASTS_S = { least: 1, of: { worker: 8, service: 4 } }
/** Of the time between two faults: the rest is for what comes after. */
const SHARE = 0.55

export interface PlanOptions {
  readonly faults: readonly FaultName[]
  readonly everyS: number
  /** From the beginning of the load to its end. */
  readonly forS: number
  /** Any, unless told. */
  readonly cuts?: Cuts | null
}

/** In rounds: each of the faults once, in an order that is drawn anew for each round. */
export function drawPlan(options: PlanOptions, dice: Dice): PlannedFault[] {
  const { faults, everyS, forS } = options
  const cuts = options.cuts ?? ANY_CUT
  const plan: PlannedFault[] = []
  let round: FaultName[] = []
  for (let at = CALM_S; at + everyS / 2 <= forS; at += everyS) {
    if (round.length === 0) round = shuffled(faults, dice)
    plan.push(drawFault(round.pop() as FaultName, { atS: at, everyS, cuts }, dice))
  }
  return plan
}

/** @throws UserError saying what is wrong with it */
export function parsePlan(text: string): PlannedFault[] {
  let read: unknown
  try {
    read = JSON.parse(text)
  } catch (err) {
    throw new UserError(`the plan is not JSON: ${String(err)}`)
  }
  // A report holds the plan that it carried out.
  const plan = Array.isArray(read) ? read : (read as { plan?: unknown } | null)?.plan
  if (!Array.isArray(plan)) throw new UserError('a plan is a list of faults')
  for (const [i, fault] of plan.entries()) {
    if (!Value.Check(Planned, fault)) {
      throw new UserError(`fault ${i + 1} of the plan is wrong: ${JSON.stringify(fault)}`)
    }
  }
  return (plan as PlannedFault[]).toSorted((a, b) => a.atS - b.atS)
}

export function lastsMsOf(planned: PlannedFault): number {
  return 'lastsS' in planned ? planned.lastsS * 1_000 : 0
}

/** For people. */
export function textOf(planned: PlannedFault): string {
  const lasts = 'lastsS' in planned ? ` for ${planned.lastsS} s` : ''
  switch (planned.fault) {
    case 'pause':
      return `SIGSTOP of ${planned.of}${lasts}`
    case 'cut':
      return `${planned.of} cut off from ${planned.from}${lasts}`
    case 'slow':
      return `${planned.of} to ${planned.from} slower by ${planned.delayMs} ms${lasts}`
    case 'disk':
      return `disk of ${planned.of} full${lasts}`
    default:
      return `kill -9 of ${planned.fault.slice('kill-'.length)}`
  }
}

function drawFault(
  fault: FaultName,
  { atS, everyS, cuts }: { readonly atS: number; readonly everyS: number; readonly cuts: Cuts },
  dice: Dice
): PlannedFault {
  const lasting = (of: Victim) => {
    const most = Math.min(LASTS_S.of[isWorker(of) ? 'worker' : 'service'], SHARE * everyS)
    // Longer ones are rarer.
    const drawn = LASTS_S.least * (most / LASTS_S.least) ** dice.next()
    return { lastsS: Math.round(10 * drawn) / 10 }
  }
  switch (fault) {
    case 'pause': {
      const of = pick<Victim>(dice, ['master', 'replica', ...SERVICES])
      return { atS, fault, of, ...lasting(of) }
    }
    case 'cut': {
      const [of, from] = [pick(dice, cuts.of), pick(dice, cuts.from)]
      return { atS, fault, of, from, ...lasting(of) }
    }
    case 'slow': {
      const [of, from, delayMs] = [
        pick(dice, cuts.of),
        pick(dice, cuts.from),
        dice.between(10, 150)
      ]
      return { atS, fault, of, from, delayMs, ...lasting(of) }
    }
    case 'disk': {
      const of = pick(dice, ['master', 'replica'] as const)
      return { atS, fault, of, ...lasting(of) }
    }
    default:
      return { atS, fault }
  }
}

const isWorker = (of: Victim): boolean => WORKERS.some(worker => worker === of)

const pick = <T>(dice: Dice, from: readonly T[]): T => dice.pick(from) as T

function shuffled<T>(from: readonly T[], dice: Dice): T[] {
  const drawn = from.map(one => ({ one, at: dice.next() }))
  return drawn.sort((a, b) => a.at - b.at).map(({ one }) => one)
}
