/**
 * Figures of the lanes and of the cluster, beside those that every HTTP server has.
 */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import { type ClusterView, masterOf } from './cluster-view.ts'
import type { Dispatch } from './lanes/dispatch.ts'
import { type Obstacle, WHYS } from './obstacles.ts'
import type { Timeline } from './timeline.ts'

const FAILOVER_BUCKETS_S = [0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 30, 60]

/** @returns what notes the size of each batch sent */
export function observeBatches(metrics: Registry): (queue: string, size: number) => void {
  const sizes = new Histogram({
    name: 'convoy_lane_batch_requests',
    help: 'Requests sent in one message',
    labelNames: ['lane'],
    buckets: [1, 2, 4, 8, 16, 32, 64, 128],
    registers: [metrics]
  })
  const lanes = new Map<string, Histogram.Internal<'lane'>>()
  return (lane, size) => {
    const one = lanes.get(lane) ?? sizes.labels(lane)
    lanes.set(lane, one)
    one.observe(size)
  }
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

/** What happens to the cluster, as this orchestrator sees it: each one counts all of it. */
export function observeCluster(
  metrics: Registry,
  { timeline, view }: { timeline: Pick<Timeline, 'on'>; view: Pick<ClusterView, 'now'> }
): void {
  const events = new Counter({
    name: 'convoy_cluster_events_total',
    help: 'What this orchestrator saw happen: elected, leaderless, workerLost, diverged and others',
    labelNames: ['type'],
    registers: [metrics]
  })
  const failovers = new Histogram({
    name: 'convoy_failover_seconds',
    help: 'Time from the loss of a master to the next one, at each election that was seen whole',
    buckets: FAILOVER_BUCKETS_S,
    registers: [metrics]
  })
  // So that the first one is an increase.
  for (const type of ['elected', 'leaderless', 'workerLost', 'diverged']) events.inc({ type }, 0)
  timeline.on(happening => {
    events.inc({ type: happening.type })
    if (happening.type !== 'elected' || happening.durationMs === null) return
    failovers.observe(happening.durationMs / 1_000)
  })
  new Gauge({
    name: 'convoy_masters',
    help: '1 while a master leads, as this orchestrator sees it',
    registers: [metrics],
    collect() {
      this.set(masterOf(view.now) === null ? 0 : 1)
    }
  })
  new Gauge({
    name: 'convoy_term',
    help: 'Term of the cluster',
    registers: [metrics],
    collect() {
      this.set(view.now.state?.term ?? 0)
    }
  })
}

export function observeObstacles(metrics: Registry, obstacles: () => readonly Obstacle[]): void {
  new Gauge({
    name: 'convoy_writes_obstructed',
    help: '1 for each reason why writes cannot succeed, as this orchestrator sees it',
    labelNames: ['why'],
    registers: [metrics],
    collect() {
      const now = new Set(obstacles().map(({ why }) => why))
      for (const why of WHYS) this.set({ why }, now.has(why) ? 1 : 0)
    }
  })
}

export function observeLanes(
  metrics: Registry,
  dispatch: Pick<Dispatch, 'depths' | 'unanswered'>
): void {
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
