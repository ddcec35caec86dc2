/**
 * A worker's side of RabbitMQ: its own queues for what other workers say, and
 * sending. Its queues are new at each connection, because the broker keeps a frozen
 * connection's exclusive names locked.
 */

import { type Amqp, type AmqpLink, openAmqp, whileOpen } from '../platform/amqp.ts'
import type { Logger } from '../platform/log.ts'
import {
  ackQueueOf,
  READ_QUEUE,
  SHARED_QUEUE,
  STRONG_QUEUE,
  SYNC_EXCHANGE,
  syncQueueOf,
  WRITE_QUEUE
} from '../wire/queues.ts'
import type { Report } from '../wire/verify.ts'
import type { Outbox } from './outbox.ts'
import { decodeWorkerMessage, encodeWorkerMessage, type Message } from './protocol/messages.ts'

/**
 * What overflows is fetched from the master again. More than a master sends before replicas
 * that count have confirmed it (writes.ts).
 */
const SYNC_QUEUE_BYTES = 48 * 1024 * 1024

/** Whoever asked has asked again by then. */
const REPORT_MS = 10_000

export interface BrokerEvents {
  up(queues: { queue: string; ackQueue: string }, link: AmqpLink): void
  down(): void
  /** RabbitMQ takes nothing any more, or takes messages again. */
  blocked(isBlocked: boolean): void
  message(message: Message): void
  /** A queue of this worker's own was deleted: it would be deaf. */
  cancelled(): void
}

export interface Broker extends AsyncDisposable {
  readonly amqp: Amqp
  /** Lost when there is no connection: the protocol expects no more of a message. */
  send(to: string | { exchange: 'sync' }, message: Message): void
  /** Likewise: an orchestrator that hears nothing asks again. */
  report(replyTo: string, report: Report): void
}

export function openBroker(options: {
  url: string
  workerId: string
  log: Logger
  outbox: Outbox
  events: BrokerEvents
}): Broker {
  const { workerId, log, outbox, events } = options
  let link: AmqpLink | null = null
  const amqp = openAmqp({
    url: options.url,
    name: `worker ${workerId}`,
    log,
    bulk: true,
    blocked: events.blocked,
    async setup(opened) {
      const queues = await declare(opened, workerId, events)
      await outbox.attach(opened, workerId)
      link = opened
      events.up(queues, opened)
    },
    down() {
      link = null
      outbox.detach()
      events.down()
    }
  })
  return {
    amqp,
    send(to, message) {
      const channel = link?.publishing
      if (channel === undefined) return
      const content = encodeWorkerMessage(message)
      // `appId` lets the sender skip its own copy without reading it.
      const properties = { appId: workerId }
      whileOpen(() => {
        if (typeof to === 'string') channel.sendToQueue(to, content, properties)
        else channel.publish(SYNC_EXCHANGE, '', content, properties)
      })
    },
    report(replyTo, report) {
      const { id } = report
      const replies = [{ id, kind: 'report', status: 200, body: JSON.stringify(report) } as const]
      const expiresAtMs = performance.now() + REPORT_MS
      const left = () => undefined
      outbox.send({ replyTo, replies, client: '', isWrite: false, expiresAtMs, left })
    },
    [Symbol.asyncDispose]: () => amqp[Symbol.asyncDispose]()
  }
}

async function declare(
  link: AmqpLink,
  workerId: string,
  events: BrokerEvents
): Promise<{ queue: string; ackQueue: string }> {
  const { consuming: channel } = link
  const queue = syncQueueOf(workerId, link.n)
  const ackQueue = ackQueueOf(workerId, link.n)
  for (const name of [WRITE_QUEUE, READ_QUEUE, STRONG_QUEUE]) {
    await channel.assertQueue(name, SHARED_QUEUE)
  }
  await channel.assertExchange(SYNC_EXCHANGE, 'fanout', { durable: false })
  const own = { exclusive: true, autoDelete: true, durable: false }
  const bytes = { 'x-max-length-bytes': SYNC_QUEUE_BYTES }
  await channel.assertQueue(queue, { ...own, arguments: bytes })
  await channel.assertQueue(ackQueue, { ...own, arguments: bytes })
  await channel.bindQueue(queue, SYNC_EXCHANGE, '')
  const receive = (content: Buffer) => {
    const message = decodeWorkerMessage(content)
    if (message !== null) events.message(message)
  }
  for (const name of [queue, ackQueue]) {
    await channel.consume(
      name,
      delivery => {
        if (delivery === null) events.cancelled()
        else if (delivery.properties.appId !== workerId) receive(delivery.content)
      },
      { noAck: true }
    )
  }
  return { queue, ackQueue }
}
