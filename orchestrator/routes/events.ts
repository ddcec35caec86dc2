/**
 * GET /api/v1/cluster/events: what happens to the cluster, as server-sent events.
 * Bounded: a reader that does not keep up is cut off, and connects again.
 */
import type { ServerResponse } from 'node:http'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import { OverloadedError } from '../../platform/errors.ts'
import { refusals } from '../../platform/http/openapi.ts'
import { type ClusterEvent, observe } from '../cluster-events.ts'
import type { ClusterView } from '../cluster-view.ts'

const READERS_MAX = 100
const UNREAD_MAX_BYTES = 256 * 1024
/** Keeps proxies from taking a quiet stream for a dead one. */
const PING_MS = 15_000

export const eventsRoute: FastifyPluginAsyncTypebox<{ view: ClusterView }> = async (
  app,
  { view }
) => {
  const readers = new Set<ServerResponse>()
  const send = (text: string) => {
    for (const reader of readers) {
      reader.write(text)
      if (reader.writableLength > UNREAD_MAX_BYTES) reader.destroy()
    }
  }
  let leaderlessSinceMs: number | null = null
  const listening = view.on((after, before) => {
    const at = { nowMs: performance.now(), leaderlessSinceMs }
    const observed = observe(before, after, at)
    leaderlessSinceMs = observed.leaderlessSinceMs
    for (const event of observed.events) {
      app.log.info({ ...event }, 'cluster changed')
      send(eventText(event))
    }
  })
  const ping = setInterval(() => send(': ping\n\n'), PING_MS)
  app.addHook('preClose', async () => {
    listening[Symbol.dispose]()
    clearInterval(ping)
    for (const reader of readers) reader.end()
  })

  const Events = Type.String({ description: 'text/event-stream, one event for each change' })
  const schema = {
    tags: ['cluster'],
    summary: 'What happens, as server-sent events',
    response: { 200: Events, ...refusals(503) }
  }
  app.get('/api/v1/cluster/events', { schema }, (_request, reply) => {
    if (readers.size >= READERS_MAX) throw new OverloadedError('too many readers of events')
    reply.hijack()
    const reader = reply.raw
    reader.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
    reader.write(': connected\n\n')
    readers.add(reader)
    reader.on('close', () => readers.delete(reader)).on('error', () => reader.destroy())
  })
}

const eventText = (event: ClusterEvent): string =>
  `event: ${event.type}\ndata: ${JSON.stringify({ at: new Date().toISOString(), ...event })}\n\n`
