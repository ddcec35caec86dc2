/**
 * GET /api/v1/cluster/stream: what the dashboard draws, as server-sent events. First
 * `history`, what was kept; then `cluster` at each change, four times a second at most
 * (one that changes who leads is sent at once), `sample` each second, and `happening`.
 * The cluster is described only while somebody listens, once for all of them.
 */
import { setInterval } from 'node:timers'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import { refusals } from '../../platform/http/openapi.ts'
import { needs } from '../../platform/security/access.ts'
import { type ClusterView, masterOf } from '../cluster-view.ts'
import type { Sample, Samples } from '../dashboard/samples.ts'
import type { Timeline } from '../timeline.ts'
import { EventStream, eventText } from './event-stream.ts'

const LOOK_MS = 250

export interface StreamOptions {
  readonly view: Pick<ClusterView, 'on'>
  readonly timeline: Pick<Timeline, 'on' | 'kept'>
  readonly samples: Pick<Samples, 'on' | 'kept'>
  /** All that is drawn, as JSON can tell it. */
  readonly look: () => object
}

export const streamRoute: FastifyPluginAsyncTypebox<StreamOptions> = async (app, options) => {
  const { view, timeline, samples, look } = options
  let looking: NodeJS.Timeout | undefined
  let shown = ''
  const stream = new EventStream(() => {
    clearInterval(looking)
    looking = undefined
  })
  const show = () => {
    const seen = look()
    const text = JSON.stringify(seen)
    if (text === shown) return
    shown = text
    stream.send('cluster', seen)
  }
  const listening = [
    view.on((after, before) => {
      if (stream.readers > 0 && masterOf(after) !== masterOf(before)) show()
    }),
    timeline.on(happening => stream.send('happening', happening)),
    samples.on(sample => stream.send('sample', sample))
  ]
  app.addHook('preClose', async () => {
    clearInterval(looking)
    for (const one of [...listening, stream]) one[Symbol.dispose]()
  })

  const schema = {
    tags: ['cluster'],
    security: needs('read'),
    summary: 'What the dashboard draws, as server-sent events',
    response: {
      200: Type.String({ description: 'text/event-stream: history, cluster, sample, happening' }),
      ...refusals(401, 403, 503)
    }
  }
  app.get('/api/v1/cluster/stream', { schema }, (_request, reply) => {
    const history = { samples: columnsOf(samples.kept), timeline: timeline.kept }
    stream.open(reply, eventText('history', history) + eventText('cluster', look()))
    looking ??= setInterval(show, LOOK_MS)
  })
}

/** A quarter of the bytes: names are told once. */
function columnsOf(samples: readonly Sample[]): Record<string, unknown[]> {
  const names = Object.keys(samples[0] ?? {}) as (keyof Sample)[]
  return Object.fromEntries(names.map(name => [name, samples.map(sample => sample[name])]))
}
