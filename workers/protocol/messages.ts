/**
 * What workers say to each other over `sync` and the masters' `ack` queues.
 * Every message carries the term it was sent in. Any of them may be lost, doubled,
 * delayed or reordered: nothing here relies on more than the broker's best effort.
 */
import { decodeFrame, encodeFrame } from '../../wire/frame.ts'
import type { Entry } from '../entry.ts'

/** Master to replicas: entries that follow `prev`, or none (a heartbeat). */
export interface Append {
  readonly kind: 'append'
  readonly term: number
  readonly from: string
  /** The master's queue for what replicas say. */
  readonly ackTo: string
  readonly prev: { readonly index: number; readonly checksum: string }
  readonly commitIndex: number
  /** Grows with every heartbeat and every strong read; whoever sees it higher confirms at once. */
  readonly barrier: number
  /** Entries above this index may not be pruned anywhere. */
  readonly keepAfter: number
  readonly entries: readonly Entry[]
}

/** Replica to master: everything up to `index` is durable here, and equal to the master's. */
export interface Confirm {
  readonly kind: 'confirm'
  readonly term: number
  readonly from: string
  readonly index: number
  readonly checksum: string
  readonly barrier: number
  /** Not named in `/state`, and wishes to be. */
  readonly joining: boolean
}

/** Replica to master: send what follows `after` to `queue`. */
export interface Fetch {
  readonly kind: 'fetch'
  readonly term: number
  readonly from: string
  readonly queue: string
  readonly after: number
}

/** Master to one replica: the log no longer reaches back to what it asked for. */
export interface Pruned {
  readonly kind: 'pruned'
  readonly term: number
  readonly from: string
}

/** Replica to a deposed master: there is a higher term. */
export interface Refuse {
  readonly kind: 'refuse'
  readonly term: number
  readonly from: string
}

export type Message = Append | Confirm | Fetch | Pruned | Refuse

/** Row images and results travel as raw parts: they are JSON text already. */
export function encodeWorkerMessage(message: Message): Buffer {
  if (message.kind !== 'append') return encodeFrame(message)
  const entries = message.entries.map(({ changes: _changes, result: _result, ...head }) => head)
  const parts = message.entries.flatMap(entry => [entry.changes, entry.result])
  return encodeFrame({ ...message, entries }, parts)
}

/** Null for what is no message of a worker. */
export function decodeWorkerMessage(content: Buffer): Message | null {
  const frame = readFrame(content)
  if (frame === null) return null
  const { header, parts } = frame
  const message = header as Message
  if (message.kind !== 'append') return message
  const entries = message.entries.map((head, i) => ({
    ...head,
    changes: String(parts[2 * i]),
    result: String(parts[2 * i + 1])
  }))
  return { ...message, entries }
}

function readFrame(content: Buffer): ReturnType<typeof decodeFrame> | null {
  try {
    return decodeFrame(content)
  } catch {
    return null
  }
}
