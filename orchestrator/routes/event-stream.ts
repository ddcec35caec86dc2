/**
 * Server-sent events to any number of readers, each of them bounded: one that does not
 * keep up is cut off, and connects again.
 */
import type { ServerResponse } from 'node:http'
import type { FastifyReply } from 'fastify'
import { clientOf } from '../../platform/security/client-key.ts'
import { OverloadedError } from '../../wire/errors.ts'

const READERS_MAX = 100
/** One client cannot take the places of the others. */
const READERS_OF_CLIENT_MAX = 20
const UNREAD_MAX_BYTES = 256 * 1024
/** Keeps proxies from taking a quiet stream for a dead one. */
const PING_MS = 15_000

export class EventStream implements Disposable {
  /** With the client that each belongs to. */
  readonly #readers = new Map<ServerResponse, string>()
  readonly #onEmpty: () => void
  readonly #ping: NodeJS.Timeout

  /** @param onEmpty called when the last reader has gone */
  constructor(onEmpty: () => void = () => {}) {
    this.#onEmpty = onEmpty
    this.#ping = setInterval(() => this.#write(': ping\n\n'), PING_MS)
  }

  get readers(): number {
    return this.#readers.size
  }

  /** @throws OverloadedError */
  open(reply: FastifyReply, first = ': connected\n\n'): void {
    const client = clientOf(reply.request)
    const own = [...this.#readers.values()].filter(other => other === client).length
    if (own >= READERS_OF_CLIENT_MAX || this.#readers.size >= READERS_MAX) {
      throw new OverloadedError('too many readers of events')
    }
    reply.hijack()
    const reader = reply.raw
    reader.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
    reader.write(first)
    this.#readers.set(reader, client)
    reader.on('error', () => reader.destroy())
    reader.on('close', () => {
      this.#readers.delete(reader)
      if (this.#readers.size === 0) this.#onEmpty()
    })
  }

  send(type: string, data: unknown): void {
    if (this.#readers.size > 0) this.#write(eventText(type, data))
  }

  /** Ends them all. */
  [Symbol.dispose](): void {
    clearInterval(this.#ping)
    for (const reader of this.#readers.keys()) reader.end()
  }

  #write(text: string): void {
    for (const reader of this.#readers.keys()) {
      reader.write(text)
      if (reader.writableLength > UNREAD_MAX_BYTES) reader.destroy()
    }
  }
}

export const eventText = (type: string, data: unknown): string =>
  `event: ${type}\ndata: ${JSON.stringify(data)}\n\n`
