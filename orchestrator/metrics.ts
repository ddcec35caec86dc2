/**
 * Figures of the lanes and of scaling, beside those that every HTTP server has.
 */
import { Gauge, Histogram, type Registry } from 'prom-client'
import type { ClusterView } from './cluster-view.ts'
import type { Dispatch } from './lanes/dispatch.ts'

/** @returns what notes the size of each batch sent */
export function observeBatches(metrics: Registry): (queue: string, size: number) => void {
  const sizes = new Histogram({
    name: 'convoy_lane_batch_requests',
    help: 'Requests sent in one message',
    labelNames: ['lane'],
    buckets: [1, 2, 4, 8, 16, 32, 64, 128],
    registers: [metrics]
  })
  return (lane, size) => sizes.observe({ lane }, size)
}

export function observeReplicas(
  metrics: Registry,
  { scaling, view }: { scaling: { readonly wanted: number }; view: Pick<ClusterView, 'now'> }
): void {
  new Gauge({
    name: 'convoy_replicas',
    help: 'Replicas wanted, and those in the in-sync set',
    labelNames: ['which'],
    registers: [metrics],
    collect() {
      const inSync = view.now.state?.inSync.length ?? 0
      this.set({ which: 'wanted' }, scaling.wanted)
      this.set({ which: 'in_sync' }, Math.max(0, inSync - 1))
    }
  })
}

export function observeLanes(metrics: Registry, dispatch: Dispatch): void {
  new Gauge({
    name: 'convoy_lane_waiting_requests',
    help: 'Requests that wait to be sent',
    labelNames: ['lane'],
    registers: [metrics],
    collect() {
      for (const [lane, depth] of Object.entries(dispatch.depths)) this.set({ lane }, depth)
    }
  })
  new Gauge({
    name: 'convoy_unanswered_requests',
    help: 'Requests that have no reply yet',
    labelNames: ['kind'],
    registers: [metrics],
    collect() {
      this.set({ kind: 'write' }, dispatch.unanswered.writes)
      this.set({ kind: 'read' }, dispatch.unanswered.reads)
    }
  })
}
