/**
 * What users-api and rides-api tell each other over RabbitMQ. Durable, unlike the
 * cluster's own queues, which spares sending events again when RabbitMQ restarts on its data.
 * Nothing rests on that: an event stays in the outbox until rides-api has processed it.
 * Both sides declare exchange and queue, for an event that no queue takes is
 * confirmed too, and lost.
 */
import type { Channel } from 'amqplib'

export const EVENTS_EXCHANGE = 'events'
export const USER_DELETED = 'user.deleted'
/** Said by rides-api when it has no ride of the user any more. */
export const USER_DELETED_DONE = 'user.deleted.done'
/** Shared by the instances of rides-api. */
export const USER_DELETED_QUEUE = 'rides-api.user.deleted'

export interface UserDeleted {
  readonly eventId: string
  readonly username: string
  /** Log index of the deletion: what was checked at a lower one is of the deleted user. */
  readonly index: number
}

export interface UserDeletedDone {
  readonly eventId: string
}

export async function declareEvents(channel: Channel): Promise<void> {
  await channel.assertExchange(EVENTS_EXCHANGE, 'topic', { durable: true })
  await channel.assertQueue(USER_DELETED_QUEUE, { durable: true })
  await channel.bindQueue(USER_DELETED_QUEUE, EVENTS_EXCHANGE, USER_DELETED)
}

export const encodeEvent = (event: UserDeleted | UserDeletedDone): Buffer =>
  Buffer.from(JSON.stringify(event))

/** Undefined for what is none: it must not stop those behind it. */
export function decodeUserDeleted(content: Buffer): UserDeleted | undefined {
  const event = decodeUserDeletedDone(content) as Partial<UserDeleted> | undefined
  const { username, index } = event ?? {}
  const whole = typeof username === 'string' && Number.isSafeInteger(index)
  return whole ? (event as UserDeleted) : undefined
}

export function decodeUserDeletedDone(content: Buffer): UserDeletedDone | undefined {
  try {
    const event = JSON.parse(content.toString()) as Partial<UserDeletedDone> | null
    return typeof event?.eventId === 'string' ? (event as UserDeletedDone) : undefined
  } catch {
    return undefined
  }
}
