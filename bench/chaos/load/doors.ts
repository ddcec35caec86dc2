/**
 * The two doors that a load comes through: the orchestrators, with objects of five models
 * that clients change and read by SQL, and lb, with rides that they offer and list. Every
 * write is unique, and what each request was told is recorded for the checkers.
 */
import { randomUUID } from 'node:crypto'
import { READINGS, statementsOf } from '../../../testing/clients/models.ts'
import type { Objects } from '../../../testing/clients/objects.ts'
import { type Attempt, outcomeOf, outcomeOfAll } from '../../../testing/clients/outcomes.ts'
import type { Session } from '../../../testing/clients/session.ts'
import type { Consistency, Operation } from '../../../testing/history/history.ts'
import type { Dice } from '../../../testing/random.ts'
import type { Client } from './client.ts'
import { type Rides, rideBody, ridesShown } from './rides.ts'

export const DOORS = ['orchestrator', 'lb'] as const
export type DoorName = (typeof DOORS)[number]

/** What became of one request. */
export interface Asked {
  readonly operation: Operation
  readonly attempts: readonly Attempt[]
}

export interface Door {
  write(client: Client, session: Session): Promise<Asked>
  read(client: Client, session: Session): Promise<Asked>
}

const CONSISTENCIES: readonly Consistency[] = ['replica', 'session', 'strong']

export function orchestratorDoor(objects: Objects, dice: Dice): Door {
  return {
    async write(client, session) {
      const object = objects.pick(dice)
      const action = session.draw(object, dice, () => objects.unique())
      const requestId = randomUUID()
      const beginMs = performance.now()
      const attempts = await client.ask({
        ...{ method: 'POST', path: '/api/v1/db/write', key: requestId },
        body: { statements: statementsOf(object.key, action) }
      })
      const times = { beginMs, endMs: performance.now() }
      const operation = session.change({ object, action, requestId, ...times, attempts })
      return { operation, attempts }
    },
    read: (client, session) =>
      readObject(client, session, {
        object: objects.pick(dice),
        consistency: dice.pick(CONSISTENCIES) as Consistency
      })
  }
}

export async function readObject(
  client: Client,
  session: Session,
  { object, consistency }: { object: Objects['all'][number]; consistency: Consistency }
): Promise<Asked> {
  const minIndex = consistency === 'session' ? session.index : null
  const { sql } = READINGS[object.model]
  const beginMs = performance.now()
  const attempts = await client.ask({
    ...{ method: 'POST', path: '/api/v1/db/read' },
    body: { sql, params: [object.key], consistency, ...(minIndex === null ? {} : { minIndex }) }
  })
  const times = { beginMs, endMs: performance.now() }
  const operation = session.read({ object, consistency, minIndex, ...times, attempts })
  return { operation, attempts }
}

export function lbDoor(rides: Rides, dice: Dice): Door {
  return {
    async write(client, { process }) {
      const [way, element, requestId] = [rides.pick(dice), rides.unique(), randomUUID()]
      const beginMs = performance.now()
      const attempts = await client.ask({
        ...{ method: 'POST', path: '/api/v1/rides', key: requestId },
        body: rideBody(way, { element, createdBy: rides.user })
      })
      const outcome = outcomeOfAll(attempts)
      const operation: Operation = {
        ...{ kind: 'change', process, model: 'set', key: way.key, requestId, index: null },
        ...{ action: { do: 'insert', element }, beginMs, outcome, endMs: endOf(outcome) }
      }
      return { operation, attempts }
    },
    read: (client, session) => readRides(client, session, { rides, way: rides.pick(dice) })
  }
}

/** A list of rides is read from a replica. */
export async function readRides(
  client: Client,
  { process }: Session,
  { rides, way }: { readonly rides: Rides; readonly way: Rides['all'][number] }
): Promise<Asked> {
  const path = `/api/v1/rides?source=${way.source}&destination=${way.destination}`
  const beginMs = performance.now()
  const attempts = await client.ask({ method: 'GET', path })
  const last = attempts.at(-1) ?? attempts[0]
  const outcome = outcomeOf(last)
  const value = outcome === 'ok' ? ridesShown(last.body, rides.user) : null
  const operation: Operation = {
    ...{ kind: 'read', process, model: 'set', key: way.key, consistency: 'replica', value },
    ...{ minIndex: null, index: null, beginMs, outcome, endMs: endOf(outcome) }
  }
  return { operation, attempts }
}

const endOf = (outcome: Operation['outcome']): number =>
  outcome === 'unknown' ? Number.POSITIVE_INFINITY : performance.now()
