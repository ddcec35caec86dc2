/**
 * What orchestrators and workers say to each other over `writeQ`, `readQ`,
 * `strongQ` and the orchestrators' reply queues. One AMQP message carries all
 * that a lane had gathered; the worker answers in messages of its own choosing.
 */
import { decodeFrame, encodeFrame } from './frame.ts'

/** Of the replies in one message, unless one alone is larger: RabbitMQ ends a channel that brings it 128 MiB. */
const MESSAGE_CHARS = 4 * 1024 * 1024

/** JSON values as they came from the caller; the worker hands them to PostgreSQL as text. */
export type Param = string | number | boolean | null | readonly unknown[] | object

/** `clear` empties every table of the application; its `sql` is ''. Of `verify` it is a `Mark` (verify.ts). */
export type StatementKind = 'read' | 'dml' | 'ddl' | 'truncate' | 'clear' | 'verify'

export interface Statement {
  readonly sql: string
  readonly params: readonly Param[]
  readonly kind: StatementKind
  readonly expectRows?: number
}

/** One transaction. Admitted already: each `sql` is one statement of its `kind`. */
export interface WriteCommand {
  readonly requestId: string
  /** Digest of the statements: the same id with another digest is refused. */
  readonly commandHash: string
  readonly statements: readonly Statement[]
  /** Milliseconds left to the deadline when the message was sent; counted from receipt. */
  readonly ttlMs: number
  /** False only for an id that the orchestrator has just made up itself and sends the first time. */
  readonly mayRepeat: boolean
  /** Whose share it uses where clients compete. */
  readonly client?: string
  /** A master that may have been executing it has ended: it is executed alone. */
  readonly suspect?: boolean
  /** Other copies were sent before this one, so a master of a later term takes it for a suspect. */
  readonly again?: boolean
  /** Under which the call is logged on its way: its `x-request-id`. */
  readonly traceId?: string
  /** Of the span that asks for it, where the caller or a process on the way traces. */
  readonly traceparent?: string
}

export interface ReadCommand {
  /** Unique per attempt at the asking orchestrator; comes back in the reply. */
  readonly readId: string
  readonly sql: string
  readonly params: readonly Param[]
  readonly minIndex?: number
  readonly ttlMs: number
  /** Whose share it uses where clients compete (platform/security/client-key.ts). */
  readonly client?: string
  /** Times that it was sent, with this one. */
  readonly sending?: number
  /** A worker may have ended by it: runs alone, after a `begun` was confirmed. */
  readonly suspect?: true
}

/** On `strongQ` only: what became of a write. Answered 200 with the stored body, or 404. */
export interface OutcomeQuery {
  readonly readId: string
  readonly outcomeOf: string
  /** Only a write of this owner is told; undefined: whoever it belongs to. */
  readonly owner?: string
  readonly ttlMs: number
}

/** What the answer to a reading statement depends on, told beside the index that it holds from. */
export interface Dependence {
  /** Null where it may be another one though no row has changed: a function that is not immutable, say. */
  readonly tables: readonly string[] | null
  /** Places, from 0, of parameters that are dates or timestamps: their text may say `now`. */
  readonly instants: readonly number[]
}

/** On `readQ` only. Answered with `Dependence` and its index. */
export interface DependenceQuery {
  readonly readId: string
  readonly dependenceOf: string
  readonly ttlMs: number
}

/** Where the master's log ends, told behind a barrier: all that was acknowledged before is in it. */
export interface LogEnd {
  readonly index: number
  readonly term: number
  readonly workerId: string
}

/** On `strongQ` only. Answered with `LogEnd`. */
export interface EndQuery {
  readonly readId: string
  readonly endOfLog: true
  readonly ttlMs: number
}

export type ReadRequest = ReadCommand | OutcomeQuery | DependenceQuery | EndQuery

export interface WriteMessage {
  readonly replyTo: string
  /** The term that the orchestrator knew when it sent this. */
  readonly term: number
  readonly commands: readonly WriteCommand[]
}
export interface ReadMessage {
  readonly replyTo: string
  readonly reads: readonly ReadRequest[]
}

/**
 * What a worker says about a request that it has not answered. A note is a `Reply` with
 * status 0 and no body.
 * - `begun`: its execution begins, alone; told before, so that a death can be put down to it
 * - `running`: it waits or runs here, and this worker is alive
 * - `busy`: not executed, for too many of its client's wait here; to be sent again later
 * - `returned`: not executed, for a worker that had it may have ended by it
 */
export type Note = 'begun' | 'running' | 'busy' | 'returned'

/** `body` is the whole HTTP body, JSON text, made by the worker and passed on as it is. */
export interface Reply {
  /** The request id of a write, the read id of a read, the id of a mark. */
  readonly id: string
  /** `report`: of a part of a verification (verify.ts). */
  readonly kind: 'write' | 'read' | 'report'
  readonly status: number
  readonly body: string
  readonly note?: Note
  /** Of a note: which sending of the request it is about, counted from 1. */
  readonly sending?: number
  /** Milliseconds that a read was executed for; absent below 1. */
  readonly tookMs?: number
}

/**
 * The digest of a command with its owner, where tokens are in use: a request id then means the
 * same command only for the one who chose it.
 */
export const ownedHash = (commandHash: string, owner: string | undefined): string =>
  owner === undefined ? commandHash : `${owner}.${commandHash}`

export const isOwnedBy = (commandHash: string, owner: string): boolean =>
  commandHash.startsWith(`${owner}.`)

export const encodeMessage = (message: WriteMessage | ReadMessage): Buffer =>
  Buffer.from(JSON.stringify(message))

export const decodeWrites = (content: Buffer): WriteMessage =>
  JSON.parse(content.toString()) as WriteMessage

export const decodeReads = (content: Buffer): ReadMessage =>
  JSON.parse(content.toString()) as ReadMessage

export const isCommand = (read: ReadRequest): read is ReadCommand => 'sql' in read

/** In several messages, in their order, where one would be too large. */
export function encodeReplies(replies: readonly Reply[]): Buffer[] {
  const messages: Buffer[] = []
  let from = 0
  let chars = 0
  for (const [i, { body }] of replies.entries()) {
    chars += body.length
    if (i === from || chars <= MESSAGE_CHARS) continue
    messages.push(encodeTogether(replies.slice(from, i)))
    from = i
    chars = body.length
  }
  return [...messages, encodeTogether(replies.slice(from))]
}

function encodeTogether(replies: readonly Reply[]): Buffer {
  const header = replies.map(({ id, kind, status, note, sending, tookMs }) => {
    return { id, kind, status, note, sending, tookMs }
  })
  return encodeFrame(
    header,
    replies.map(reply => reply.body)
  )
}

/** Bodies stay bytes: the orchestrator sends them on without looking inside. */
export function decodeReplies(content: Buffer): (Omit<Reply, 'body'> & { body: Buffer })[] {
  const { header, parts } = decodeFrame(content)
  return (header as Omit<Reply, 'body'>[]).map((reply, i) => ({
    ...reply,
    body: parts[i] ?? Buffer.alloc(0)
  }))
}
