/**
 * Takes part in the deletion of users: removes what a deleted user has left here, and
 * remembers the deletion for rides that are being created meanwhile.
 * Invariants:
 * - An event is acknowledged after its write is committed, so none is lost.
 * - It is processed once: its id is stored in the same transaction.
 * - "Done" is said after every delivery of it, for whoever waits may have missed it.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Channel, ConsumeMessage } from 'amqplib'
import { ConstraintError, type Database } from 'convoy/client'
import { type Amqp, type AmqpLink, openAmqp, UNHURRIED_PING_MS } from '../platform/amqp.ts'
import type { Logger } from '../platform/log.ts'
import {
  declareEvents,
  decodeUserDeleted,
  EVENTS_EXCHANGE,
  encodeEvent,
  USER_DELETED_DONE,
  USER_DELETED_QUEUE,
  type UserDeleted
} from '../platform/service/events.ts'
import type { Events, OnLink } from '../platform/service/start.ts'
import { usernameDigest } from '../platform/service/usernames.ts'
import * as sql from './sql.ts'

/** Deletions at once per instance; the others wait in the queue, also for other instances. */
const PREFETCH = 20
/** Of the one consumer that a channel of ours has. */
const CONSUMER = 'deletions'

/** The database was away for a whole deadline; the event goes back and comes again. */
const REDELIVER_AFTER_MS = 1_000

export interface DeletionsOptions {
  readonly url: string
  readonly db: Database
  readonly log: Logger
  readonly onLink: OnLink
}

/** Returns at once; RabbitMQ need not be there yet. */
export function openDeletions(options: DeletionsOptions): Events {
  const { url, log, onLink } = options
  let frozen = false
  const consume = async ({ consuming, publishing }: AmqpLink) => {
    await consuming.consume(
      USER_DELETED_QUEUE,
      message => {
        if (message === null)
          amqp.drop() // the queue was deleted under the consumer
        else void take(message, { ...options, consuming, publishing })
      },
      { consumerTag: CONSUMER }
    )
  }
  const amqp: Amqp = openAmqp({
    url,
    name: 'rides-api',
    pingMs: UNHURRIED_PING_MS,
    log,
    setup: async link => {
      await declareEvents(link.consuming)
      await link.consuming.prefetch(PREFETCH)
      const begun = frozen
      if (!frozen) await consume(link)
      if (begun !== frozen) throw new Error('frozen, or started, meanwhile')
      onLink(link)
    },
    down: () => onLink(undefined)
  })
  return {
    freeze(wanted) {
      if (wanted === frozen) return
      frozen = wanted
      const { link } = amqp
      if (link === undefined) return // The next one is set up as is wanted then.
      const done = frozen ? link.consuming.cancel(CONSUMER) : consume(link)
      done.catch(() => amqp.drop())
    },
    [Symbol.asyncDispose]: () => amqp[Symbol.asyncDispose]()
  }
}

type Taking = DeletionsOptions & { readonly consuming: Channel; readonly publishing: Channel }

async function take(message: ConsumeMessage, options: Taking): Promise<void> {
  const { db, log, consuming, publishing } = options
  const event = decodeUserDeleted(message.content)
  try {
    if (event === undefined) log.error('a message that is no event was dropped')
    else await processDeletion(db, event)
  } catch (err) {
    log.warn({ err, eventId: event?.eventId }, 'deletion not processed, it will come again')
    await sleep(REDELIVER_AFTER_MS)
    attempt(() => consuming.nack(message))
    return
  }
  attempt(() => consuming.ack(message))
  if (event === undefined) return
  const done = encodeEvent({ eventId: event.eventId })
  attempt(() => publishing.publish(EVENTS_EXCHANGE, USER_DELETED_DONE, done))
}

/** Removes what the user left, unless `event` was processed before. */
export async function processDeletion(db: Database, event: UserDeleted): Promise<void> {
  const { eventId, username, index } = event
  const digest = usernameDigest(username)
  const statements = [
    { sql: sql.PROCESSED, params: [eventId] },
    { sql: sql.BURY, params: [digest, username, index] },
    { sql: sql.LEAVE, params: [digest, index] },
    { sql: sql.REMOVE_RIDES, params: [digest, index] },
    { sql: sql.FORGET_TOMBSTONES },
    { sql: sql.FORGET_EVENTS }
  ]
  try {
    await db.write(statements, { requestId: `rides-api:user-deleted:${eventId}:apply` })
  } catch (err) {
    const again = err instanceof ConstraintError && err.constraint === 'processed_events_pkey'
    if (!again) throw err
  }
}

/** On a link that has ended this throws, and what was not acknowledged comes again. */
function attempt(send: () => void): void {
  try {
    send()
  } catch {}
}
