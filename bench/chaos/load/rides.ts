/**
 * Rides as unique elements: those from one area to another are a set, and the time at
 * which a ride starts, no two at the same second, is its element.
 */
import type { Dice } from '../../../testing/random.ts'

const AREAS = 198
/** At a time: few, so that clients meet at them. */
const AT_ONCE = 2
/** Then another way is taken: lists must not grow for as long as a run lasts. */
const REQUESTS_MAX = 120
/** 1 January 2090: rides that start in the future are listed. */
const FIRST_MS = Date.UTC(2090, 0, 1)

export interface Way {
  readonly key: string
  readonly source: number
  readonly destination: number
}

export class Rides {
  readonly user: string
  readonly #all: Way[] = []
  readonly #live: { readonly way: Way; requests: number }[] = []
  #last = 0

  /** @param user who offers them, and nobody else's rides count */
  constructor(user: string) {
    this.user = user
    for (let i = 0; i < AT_ONCE; i++) this.#live.push({ way: this.#begin(), requests: 0 })
  }

  /** All that there ever were. */
  get all(): readonly Way[] {
    return this.#all
  }

  pick(dice: Dice): Way {
    const at = dice.between(0, AT_ONCE - 1)
    const chosen = this.#live[at] as { way: Way; requests: number }
    chosen.requests += 1
    if (chosen.requests >= REQUESTS_MAX) this.#live[at] = { way: this.#begin(), requests: 0 }
    return chosen.way
  }

  /** A number that no ride has had. */
  unique(): number {
    return ++this.#last
  }

  #begin(): Way {
    const n = this.#all.length
    const source = 1 + (Math.floor(n / (AREAS - 1)) % AREAS)
    const other = 1 + (n % (AREAS - 1))
    const destination = other < source ? other : other + 1
    const way = { key: `rides ${n}: ${source} to ${destination}`, source, destination }
    this.#all.push(way)
    return way
  }
}

export function rideBody(
  { source, destination }: Way,
  { element, createdBy }: { readonly element: number; readonly createdBy: string }
) {
  return { created_by: createdBy, timestamp: timestampOf(element), source, destination }
}

/** Elements of a listed way. @param body of the answer, empty where there are none */
export function ridesShown(body: unknown, user: string): number[] {
  if (!Array.isArray(body)) return []
  const listed = body as { username: string; timestamp: string }[]
  return listed
    .filter(({ username }) => username === user)
    .map(({ timestamp }) => elementOf(timestamp))
}

const two = (n: number): string => String(n).padStart(2, '0')

/** `DD-MM-YYYY:SS-MM-HH` */
function timestampOf(element: number): string {
  const at = new Date(FIRST_MS + element * 1_000)
  const day = `${two(at.getUTCDate())}-${two(at.getUTCMonth() + 1)}-${at.getUTCFullYear()}`
  return `${day}:${two(at.getUTCSeconds())}-${two(at.getUTCMinutes())}-${two(at.getUTCHours())}`
}

function elementOf(timestamp: string): number {
  const [day = 0, month = 1, year = 0, second = 0, minute = 0, hour = 0] = timestamp
    .split(/[-:]/)
    .map(Number)
  return (Date.UTC(year, month - 1, day, hour, minute, second) - FIRST_MS) / 1_000
}
