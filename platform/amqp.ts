/**
 * The one way to RabbitMQ: connections to publish and to consume, and where it is asked for
 * one for large messages, that live and end together and are dialled again for ever.
 * Invariants:
 * - Together: the end of any connection or channel ends all of them.
 * - Apart: what is published on `bulk` delays nothing that is published on `publishing`.
 * - Paired: each `setup` that was started is followed by exactly one `down`, at
 *   once when the link ends, before anything of the next link.
 * - Nothing here rejects or throws behind the caller's back.
 */
import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Channel, type ChannelModel, connect, IllegalOperationError } from 'amqplib'
import { backoffMs, RECONNECT } from '../wire/backoff.ts'
import type { Logger } from './log.ts'
import { clientCertificate } from './security/tls.ts'

const DIAL_TIMEOUT_MS = 3_000
const CLOSE_TIMEOUT_MS = 1_000
const HEARTBEAT_S = 2
/** Pause after the last that was heard, before a ping. */
const PING_MS = 80
/** Of services, for which nobody waits when RabbitMQ is gone. */
export const UNHURRIED_PING_MS = 1_000
/**
 * A broken network tells nobody: who does not answer a ping for so long is not there. With
 * two pauses below a worker's default `replicaTimeoutMs`, so that a master finds out that it
 * is itself cut off before it takes its replicas for lost.
 */
const SILENCE_MS = 800
/** Of a connection for large messages: a ping waits behind them, at this end and at the other. */
const BULK_SILENCE_MS = 5_000
/** There in every vhost. */
const PING_EXCHANGE = 'amq.fanout'
/**
 * An alarm of the broker is told only to a connection that publishes. This goes to nobody:
 * there is no such queue.
 */
const TO_NOBODY = 'convoy.nobody'
const PROBE_MS = 2_000

export interface AmqpLink {
  /** Unique per link, over restarts of the process too: the broker may keep old exclusive names locked. */
  readonly n: string
  /** On a connection of its own: an alarm of the broker blocks connections that publish. */
  readonly publishing: Channel
  readonly consuming: Channel
  readonly publishConnection: ChannelModel
  readonly consumeConnection: ChannelModel
  /** For large messages; the connection to publish, unless `bulk` was asked for. */
  readonly bulk: Channel
  readonly bulkConnection: ChannelModel
  /** RabbitMQ takes nothing at present, and says so: what is published piles up in memory here. */
  readonly blocked: boolean
}

export interface AmqpOptions {
  readonly url: string
  /** Shown in the broker's list of connections. */
  readonly name: string
  readonly log: Logger
  /** Whether large messages have a connection of their own. */
  readonly bulk?: boolean
  /** RabbitMQ takes nothing any more, or takes messages again. */
  readonly blocked?: (isBlocked: boolean) => void
  /** A connection on which nothing was heard for so long is pinged. */
  readonly pingMs?: number
  /** A link that does not answer is given up after so long. */
  readonly silenceMs?: number
  /** Declares queues and starts consumers on a new link. When it rejects, the link is dropped. */
  readonly setup: (link: AmqpLink) => Promise<void>
  /** The link that was set up, or was being so, has ended: what it had under way gets no answer. */
  readonly down: () => void
}

export interface Amqp extends AsyncDisposable {
  readonly up: boolean
  /** Undefined until `setup` is done, and from the moment the link ends. */
  readonly link: AmqpLink | undefined
  /** Breaks the link and dials again: after a consumer was cancelled, say. */
  drop(): void
}

/** Returns at once; RabbitMQ need not be there yet. */
export function openAmqp(options: AmqpOptions): Amqp {
  return new RedialedAmqp(options)
}

class RedialedAmqp implements Amqp {
  readonly #options: AmqpOptions
  readonly #stopped = new AbortController()
  readonly #running: Promise<void>
  #pair: Pair | undefined
  #link: AmqpLink | undefined

  constructor(options: AmqpOptions) {
    this.#options = options
    this.#running = this.#run()
  }

  get up(): boolean {
    return this.#link !== undefined
  }

  get link(): AmqpLink | undefined {
    return this.#link
  }

  drop(): void {
    // A good-bye waits for both connections.
    if (!this.#stopped.signal.aborted) this.#pair?.end(new Error('dropped'))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped.abort()
    await this.#pair?.close()
    await this.#running
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopped
    let attempt = 0
    while (!signal.aborted) {
      const wasUp = await this.#live().catch((err: Error) => {
        // Once per outage: the attempts that follow say nothing new.
        const level = attempt === 0 && !signal.aborted ? 'warn' : 'debug'
        this.#options.log[level]({ err, attempt }, 'RabbitMQ not reached')
        return false
      })
      attempt = wasUp ? 0 : attempt + 1
      await sleep(backoffMs(RECONNECT, attempt), undefined, { signal }).catch(() => {})
    }
  }

  /** The life of one link, from the dial to its end. @returns whether it was ever up */
  async #live(): Promise<boolean> {
    const { log, setup, down } = this.#options
    const pair = new Pair(this.#options)
    this.#pair = pair
    const link = await pair.dial()
    pair.failIfEnded()
    const ended = new Promise<void>(resolve => {
      pair.onEnd = () => {
        this.#link = undefined
        down() // Paired: at once, for what the link had under way gets no answer.
        resolve()
      }
    })
    const ready = Promise.try(setup, link).catch((err: Error) => pair.end(err))
    await Promise.race([ready, ended])
    pair.failIfEnded()
    this.#link = link
    log.info({ n: link.n }, 'RabbitMQ link up')
    await ended
    if (!this.#stopped.signal.aborted) {
      log.warn({ err: pair.cause, n: link.n }, 'RabbitMQ link down')
    }
    return true
  }
}

interface Dialled {
  readonly connection: ChannelModel
  readonly channel: Channel
  /** The broker does not read from it, and says so; only of one that publishes. */
  blocked: boolean
}

/** Connections and their channels, which end as one. */
class Pair {
  onEnd: () => void = () => {}
  /** Why it ended; undefined while it lives. */
  cause: Error | undefined
  readonly #options: AmqpOptions
  readonly #connections: ChannelModel[] = []
  readonly #channels: Channel[] = []
  readonly #dialled: Dialled[] = []
  #closing = false

  constructor(options: AmqpOptions) {
    this.#options = options
  }

  async dial(): Promise<AmqpLink> {
    try {
      const publish = await this.#dialOne('publish')
      const bulk = this.#options.bulk === true ? await this.#dialOne('bulk') : publish
      const consume = await this.#dialOne('consume')
      return {
        n: randomBytes(6).toString('hex'),
        publishing: publish.channel,
        consuming: consume.channel,
        publishConnection: publish.connection,
        consumeConnection: consume.connection,
        bulk: bulk.channel,
        bulkConnection: bulk.connection,
        get blocked() {
          return publish.blocked || bulk.blocked
        }
      }
    } catch (err) {
      this.end(err as Error)
      throw err
    }
  }

  failIfEnded(): void {
    if (this.cause !== undefined) throw this.cause
  }

  end(cause: Error): void {
    if (this.cause !== undefined) return
    this.cause = cause
    for (const connection of this.#connections) destroy(connection, cause)
    this.onEnd()
  }

  /** Tells the broker good-bye, so that it frees exclusive names at once. */
  async close(): Promise<void> {
    this.#closing = true
    const closed = async () => {
      // Channels first: amqplib lets a connection's close overtake what a channel still has to send.
      await Promise.allSettled(this.#channels.map(channel => channel.close()))
      await Promise.allSettled(this.#connections.map(connection => connection.close()))
    }
    await Promise.race([closed(), sleep(CLOSE_TIMEOUT_MS, undefined, { ref: false })])
    this.end(new Error('disposed'))
  }

  async #dialOne(purpose: 'publish' | 'bulk' | 'consume'): Promise<Dialled> {
    const { log, name } = this.#options
    const url = new URL(this.#options.url)
    url.searchParams.set('heartbeat', String(HEARTBEAT_S)) // for the broker, which does not ping
    const connection = await connect(url.href, {
      noDelay: true, // without it a round trip takes 20 to 40 ms
      timeout: DIAL_TIMEOUT_MS,
      ...(url.protocol === 'amqps:' && clientCertificate()),
      clientProperties: { connection_name: `${name} ${purpose}` }
    })
    this.#connections.push(connection)
    this.#endWith(connection)
    if (this.cause !== undefined) destroy(connection, this.cause) // ended while this was dialled
    const channel = await connection.createChannel()
    this.#channels.push(channel)
    this.#endWith(channel)
    const dialled: Dialled = { connection, channel, blocked: false }
    this.#dialled.push(dialled)
    connection.on('blocked', reason => {
      dialled.blocked = true
      log.warn({ purpose, reason }, 'RabbitMQ blocks publishing')
      this.#tellBlocked()
    })
    connection.on('unblocked', () => {
      dialled.blocked = false
      log.info({ purpose }, 'RabbitMQ takes messages again')
      this.#tellBlocked()
    })
    this.#ping(dialled, purpose === 'bulk' ? BULK_SILENCE_MS : SILENCE_MS)
    if (purpose !== 'consume') this.#probe(dialled)
    return dialled
  }

  #tellBlocked(): void {
    if (this.cause === undefined) this.#options.blocked?.(this.#dialled.some(one => one.blocked))
  }

  /** AMQP's heartbeats would take 4 to 6 s to notice a network that carries nothing any more. */
  #ping(dialled: Dialled, ownSilenceMs: number): void {
    const { silenceMs = ownSilenceMs, pingMs = PING_MS } = this.#options
    const { stream } = innerOf(dialled.connection)
    let heardBytes = 0
    const ask = (patienceMs: number) => {
      let answered = false
      let timer: NodeJS.Timeout
      const wait = () => {
        const takenBytes = takenBytesOf(stream)
        const late = () => {
          if (answered || dialled.blocked || this.cause !== undefined) return
          // The ping waits behind messages, of which RabbitMQ takes one after the other.
          if (takenBytesOf(stream) > takenBytes) wait()
          else this.end(new Error('RabbitMQ is silent'))
        }
        // If it was this process that stood still, the answer waits to be read.
        timer = setTimeout(() => setImmediate(late), patienceMs).unref()
      }
      wait()
      const heard = () => {
        answered = true
        clearTimeout(timer)
        heardBytes = stream.bytesRead
        if (this.cause === undefined) setTimeout(look, pingMs).unref()
      }
      whileOpen(() => dialled.channel.checkExchange(PING_EXCHANGE).then(heard, heard))
    }
    // Whoever has said something else meanwhile is there.
    const look = () => {
      if (this.cause !== undefined) return
      if (stream.bytesRead === heardBytes) return ask(silenceMs)
      heardBytes = stream.bytesRead
      setTimeout(look, pingMs).unref()
    }
    ask(DIAL_TIMEOUT_MS) // A broker that has just started has everybody to greet.
  }

  /** So that `blocked` is known before anything is published in vain. */
  #probe(dialled: Dialled): void {
    const timer = setInterval(() => {
      if (this.cause !== undefined || this.#closing) return clearInterval(timer)
      if (dialled.blocked) return
      whileOpen(() => dialled.channel.sendToQueue(TO_NOBODY, Buffer.alloc(0)))
    }, PROBE_MS).unref()
  }

  /** Together: whichever part ends first takes the others with it. */
  #endWith(part: ChannelModel | Channel): void {
    const end = (err = new Error('closed by RabbitMQ')) => {
      if (!this.#closing) this.end(err) // a good-bye waits for both connections
    }
    part.on('error', end)
    part.on('close', end)
  }
}

/**
 * amqplib only half-closes its socket, which with a frozen broker lasts for ever.
 * With an error, for it does not notice a socket that is destroyed without one.
 */
function destroy(connection: ChannelModel, cause: Error): void {
  innerOf(connection).stream.destroy(cause)
}

/** Of what was written to it, what has left this process. */
const takenBytesOf = (stream: Socket): number => stream.bytesWritten - stream.writableLength

const innerOf = (connection: ChannelModel) =>
  connection.connection as unknown as { readonly stream: Socket }

/**
 * Sends, or acknowledges, on a channel that may have ended a moment ago: then it is
 * lost, as it would have been a moment later.
 */
export function whileOpen(action: () => void): void {
  try {
    action()
  } catch (error) {
    if (!(error instanceof IllegalOperationError)) throw error
  }
}
