/**
 * Tells what has happened from two views of the cluster. Pure: an election's
 * duration runs from the view in which nobody led to the one in which somebody does.
 */
import { type Cluster, masterOf } from './cluster-view.ts'

export type ClusterEvent =
  | { readonly type: 'workerStarted'; readonly workerId: string; readonly pid: number }
  | {
      readonly type: 'workerLost'
      readonly workerId: string
      readonly pid: number
      readonly role: string
    }
  | {
      readonly type: 'role'
      readonly workerId: string
      readonly from: string
      readonly to: string
      readonly term: number
    }
  | {
      readonly type: 'inSync'
      readonly term: number
      readonly added: readonly string[]
      readonly removed: readonly string[]
    }
  /** Out of service at once: its log or its rows are not the cluster's. */
  | {
      readonly type: 'diverged'
      readonly workerId: string
      readonly pid: number
      readonly trouble: string
    }
  /** An operator named workers to go on with. */
  | { readonly type: 'recovered'; readonly term: number; readonly inSync: readonly string[] }
  | {
      readonly type: 'scaled'
      readonly policy: string
      /** Replicas wanted, before and now. */
      readonly from: number
      readonly to: number
      readonly reason: string
    }
  /** The request was refused as harmful; it is executed no more. */
  | {
      readonly type: 'harmful'
      /** Of a read its `x-request-id`. */
      readonly requestId: string
      /** Which refused it: a worker a write, an orchestrator a read. */
      readonly workerId?: string
      readonly orchestratorId?: string
    }
  /** Another orchestrator than before. */
  | { readonly type: 'supervises'; readonly orchestratorId: string; readonly pid: number | null }
  | { readonly type: 'leaderless'; readonly term: number }
  | {
      readonly type: 'elected'
      readonly term: number
      readonly workerId: string
      readonly pid: number
      /** Null when this orchestrator did not see the beginning. */
      readonly durationMs: number | null
    }

export interface Observed {
  readonly events: readonly ClusterEvent[]
  readonly leaderlessSinceMs: number | null
}

export function observe(
  before: Cluster,
  after: Cluster,
  at: { readonly nowMs: number; readonly leaderlessSinceMs: number | null }
): Observed {
  if (!before.known) return { events: [], leaderlessSinceMs: null }
  const events = [
    ...supervisorEvents(before, after),
    ...scalingEvents(before, after),
    ...workerEvents(before, after),
    ...harmfulEvents(before, after),
    ...recoveredEvents(before, after),
    ...inSyncEvents(before, after)
  ]
  const led = masterOf(before)
  const leads = masterOf(after)
  const term = after.state?.term ?? 0
  if (leads === null) {
    if (led !== null) events.push({ type: 'leaderless', term })
    return { events, leaderlessSinceMs: led === null ? at.leaderlessSinceMs : at.nowMs }
  }
  if (leads !== led || before.state?.term !== term) {
    const since = at.leaderlessSinceMs
    events.push({
      type: 'elected',
      term,
      workerId: leads,
      pid: after.workers.get(leads)?.pid ?? 0,
      durationMs: since === null ? null : Math.round(at.nowMs - since)
    })
  }
  return { events, leaderlessSinceMs: null }
}

function supervisorEvents(before: Cluster, { supervisor, orchestrators }: Cluster): ClusterEvent[] {
  if (supervisor === null || supervisor === before.supervisor) return []
  const pid = orchestrators.get(supervisor)?.pid ?? null
  return [{ type: 'supervises', orchestratorId: supervisor, pid }]
}

function scalingEvents({ scaling: before }: Cluster, { scaling }: Cluster): ClusterEvent[] {
  if (scaling === null || scaling.wanted === before?.wanted) return []
  const { policy, from, to, reason } = scaling.decision
  return from === to ? [] : [{ type: 'scaled', policy, from, to, reason }]
}

function workerEvents(before: Cluster, after: Cluster): ClusterEvent[] {
  const events: ClusterEvent[] = []
  for (const [workerId, { pid, role }] of before.workers) {
    if (after.workers.get(workerId)?.pid !== pid) {
      events.push({ type: 'workerLost', workerId, pid, role })
    }
  }
  for (const [workerId, { pid, role, term, diverged, trouble }] of after.workers) {
    const former = before.workers.get(workerId)
    if (diverged && former?.diverged !== true) {
      events.push({ type: 'diverged', workerId, pid, trouble: trouble ?? '' })
    }
    if (former?.pid !== pid) events.push({ type: 'workerStarted', workerId, pid })
    else if (former.role !== role) {
      events.push({ type: 'role', workerId, from: former.role, to: role, term })
    }
  }
  return events
}

function harmfulEvents(before: Cluster, after: Cluster): ClusterEvent[] {
  const namedBefore = new Set(
    [...before.workers.values(), ...before.orchestrators.values()].flatMap(
      ({ harmful = [] }) => harmful
    )
  )
  const news = (harmful: readonly string[] = []) => harmful.filter(id => !namedBefore.has(id))
  const writes = [...after.workers].flatMap(([workerId, { harmful }]) =>
    news(harmful).map(requestId => ({ type: 'harmful', requestId, workerId }) as const)
  )
  const reads = [...after.orchestrators].flatMap(([orchestratorId, { harmful }]) =>
    news(harmful).map(requestId => ({ type: 'harmful', requestId, orchestratorId }) as const)
  )
  return [...writes, ...reads]
}

/** Nothing else names workers and no master. */
function recoveredEvents(before: Cluster, { state }: Cluster): ClusterEvent[] {
  if (state === null || state.master !== null || state.inSync.length === 0) return []
  if (before.state?.term === state.term && before.state.master === null) return []
  return [{ type: 'recovered', term: state.term, inSync: state.inSync }]
}

function inSyncEvents(before: Cluster, after: Cluster): ClusterEvent[] {
  const was = new Set(before.state?.inSync)
  const is = new Set(after.state?.inSync)
  const added = [...is.difference(was)]
  const removed = [...was.difference(is)]
  if (added.length === 0 && removed.length === 0) return []
  return [{ type: 'inSync', term: after.state?.term ?? 0, added, removed }]
}
