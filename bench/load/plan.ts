/**
 * What a load run does, in order: everybody signs up, with searches in between; then
 * rides are offered, joined, searched and looked at. Pure: the same seed gives the
 * same plan. Rides are named by their position in the plan, for only the run knows
 * the ids that they get.
 */
import { hash } from 'node:crypto'
import { between, type Random, randomOf } from './random.ts'

export type Action =
  | { readonly kind: 'sign up'; readonly username: string; readonly password: string }
  | {
      readonly kind: 'offer'
      readonly ride: number
      readonly created_by: string
      readonly timestamp: string
      readonly source: number
      readonly destination: number
    }
  | { readonly kind: 'join'; readonly ride: number; readonly username: string }
  | { readonly kind: 'search'; readonly source: number; readonly destination: number }
  | { readonly kind: 'look'; readonly ride: number }

export type Kind = Action['kind']

export interface PlanOptions {
  readonly users: number
  readonly rides: number
  readonly seed: number
  /** The present, milliseconds since 1970: rides start around it. */
  readonly nowMs: number
}

/** Few areas attract most rides, as in a city, so that searches find some. */
const AREAS = 198
const BUSY_AREAS = 12
const BUSY_SHARE = 0.6

const DAY_MS = 86_400_000
const PAST_SHARE = 0.2
const JOINS_PER_RIDE = 1.5
const SEARCHES_PER_RIDE = 1
const LOOKS_PER_RIDE = 0.5
const SEARCHES_PER_USER = 0.2

export function* signUps({ users, seed }: PlanOptions): Generator<Action> {
  const random = randomOf(seed)
  for (let i = 0; i < users; i++) {
    const username = usernameOf(i, seed)
    yield { kind: 'sign up', username, password: hash('sha1', `password of ${username}`) }
    if (random() < SEARCHES_PER_USER) yield search(random)
  }
}

export function* rideTraffic(options: PlanOptions): Generator<Action> {
  const { rides, seed } = options
  const random = randomOf(seed + 1)
  for (let ride = 0; ride < rides; ride++) {
    const [source, destination] = way(random)
    const created_by = someUser(random, options)
    const timestamp = timestampOf(someTime(random, options.nowMs))
    yield { kind: 'offer', ride, created_by, timestamp, source, destination }
    for (const _ of times(random, JOINS_PER_RIDE)) {
      yield { kind: 'join', ride: recent(random, ride), username: someUser(random, options) }
    }
    for (const _ of times(random, SEARCHES_PER_RIDE)) yield search(random)
    for (const _ of times(random, LOOKS_PER_RIDE))
      yield { kind: 'look', ride: recent(random, ride) }
  }
}

/** `DD-MM-YYYY:SS-MM-HH` in UTC. */
export function timestampOf(ms: number): string {
  const [year, month, day, hour, minute, second] = new Date(ms).toISOString().split(/[-T:.]/)
  return `${day}-${month}-${year}:${second}-${minute}-${hour}`
}

const FIRST_NAMES = ['ada', 'björn', 'chitra', 'diego', 'eva', 'fatima', '浩', 'ольга']

const usernameOf = (i: number, seed: number) =>
  `${FIRST_NAMES[i % FIRST_NAMES.length]}-${seed}-${i}`

/** The first to sign up are the busiest. */
const someUser = (random: Random, { users, seed }: PlanOptions) =>
  usernameOf(Math.floor(users * random() ** 2), seed)

/** New rides are joined and looked at more than old ones. */
const recent = (random: Random, ride: number) => Math.floor(ride * (1 - random() ** 2))

const someTime = (random: Random, nowMs: number) =>
  nowMs + (random() < PAST_SHARE ? -random() * 30 * DAY_MS : random() * 14 * DAY_MS)

/** So many turns that it is `mean` of them on average. */
function times(random: Random, mean: number): undefined[] {
  const whole = Math.floor(mean)
  return Array.from({ length: random() < mean - whole ? whole + 1 : whole })
}

function search(random: Random): Action {
  const [source, destination] = way(random)
  return { kind: 'search', source, destination }
}

function way(random: Random): [number, number] {
  const source = area(random)
  const other = area(random)
  return [source, other === source ? (source % AREAS) + 1 : other]
}

const area = (random: Random) => between(random, 1, random() < BUSY_SHARE ? BUSY_AREAS : AREAS)
