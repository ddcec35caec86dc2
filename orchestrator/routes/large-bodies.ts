/**
 * Refuses large bodies before they are read, while as much of them is here as can be answered in
 * time: reading one takes an orchestrator longer than refusing it.
 * Invariants:
 * - Bounded: bodies that are being read, wait or are on their way have at most twice the room
 *   together; those of one client half of it, or there is one of them alone.
 * - A body counts from its head to the end of its answer.
 */
import type { FastifyRequest } from 'fastify'
import type { Http } from '../../platform/http/instance.ts'
import { clientOf } from '../../platform/security/client-key.ts'
import { OverloadedError } from '../../wire/errors.ts'
import { LARGE_BYTES } from '../lanes/write-lanes.ts'

/** What a body counts that does not say how long it is. */
const UNTOLD_BYTES = 1024 * 1024
const PATHS = new Set(['/api/v1/db/write', '/api/v1/db/read'])

export class LargeBodies {
  readonly #room: () => number
  readonly #byClient = new Map<string, number>()
  #bytes = 0

  /** @param room bytes that are answered in time, from now on */
  constructor(room: () => number) {
    this.#room = room
  }

  get bytes(): number {
    return this.#bytes
  }

  /** @returns whether it may be read; then it is to be let go in the end */
  take(client: string, bytes: number): boolean {
    const room = this.#room()
    const own = this.#byClient.get(client) ?? 0
    const mayHave = own === 0 ? 2 * room : room
    if (this.#bytes > 0 && this.#bytes + bytes > mayHave) return false
    if (own > 0 && own + bytes > room / 2) return false
    this.#add(client, bytes)
    return true
  }

  letGo(client: string, bytes: number): void {
    this.#add(client, -bytes)
  }

  #add(client: string, bytes: number): void {
    this.#bytes += bytes
    const own = (this.#byClient.get(client) ?? 0) + bytes
    if (own > 0) this.#byClient.set(client, own)
    else this.#byClient.delete(client)
  }
}

export function boundLargeBodies(app: Http, bodies: LargeBodies): void {
  // Behind the guards: whoever is not let in has no share.
  app.addHook('onRequest', async (request, reply) => {
    const bytes = bytesOf(request)
    if (bytes < LARGE_BYTES || !PATHS.has(request.routeOptions.url ?? '')) return
    const client = clientOf(request)
    if (!bodies.take(client, bytes)) {
      throw new OverloadedError('too many large requests are on their way')
    }
    reply.raw.once('close', () => bodies.letGo(client, bytes))
  })
}

function bytesOf({ headers }: FastifyRequest): number {
  if (headers['transfer-encoding'] !== undefined) return UNTOLD_BYTES
  return Number(headers['content-length'] ?? 0)
}
