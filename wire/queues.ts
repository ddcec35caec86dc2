/**
 * Names and arguments of the broker's queues (vhost `convoy-<cluster>`), in one
 * place: whoever declares a queue must use the very same arguments.
 * Nothing is durable: what is acknowledged is on disk in PostgreSQL, and what is
 * not is sent again by its orchestrator with the same request id.
 */
import type { Options } from 'amqplib'

export const WRITE_QUEUE = 'writeQ'
export const READ_QUEUE = 'readQ'
export const STRONG_QUEUE = 'strongQ'
export const SYNC_EXCHANGE = 'sync'
/** Fanout: tells every process that `/config` has a newer version. */
export const CONTROL_EXCHANGE = 'control'

/** Shared queues are bounded; what does not fit is refused, and the sender told (confirm). */
export const SHARED_QUEUE: Options.AssertQueue = {
  durable: false,
  autoDelete: false,
  maxLength: 20_000,
  arguments: { 'x-overflow': 'reject-publish' }
}

export const vhostOf = (cluster: string) => `convoy-${cluster}`
export const replyQueueOf = (orchestratorId: string) => `reply.${orchestratorId}`
export const syncQueueOf = (workerId: string, n: number | string) => `sync.${workerId}.${n}`
export const ackQueueOf = (workerId: string, n: number | string) => `ack.${workerId}.${n}`
/** A worker's: orchestrators say in it which large replies they have. */
export const takenQueueOf = (workerId: string, n: number | string) => `taken.${workerId}.${n}`
export const controlQueueOf = (instanceId: string, n: string) => `control.${instanceId}.${n}`
export const acknowledgeQueueOf = (orchestratorId: string, n: string) =>
  `acknowledge.${orchestratorId}.${n}`
/** An orchestrator's, on `sync`. */
export const cacheQueueOf = (orchestratorId: string, n: string) => `cache.${orchestratorId}.${n}`
