/**
 * What simulated orchestrators and workers say to each other: wire/requests.ts
 * with one statement per command, in the language of rows.ts. An answer's body is
 * `<index> <result>`.
 */
import type { Consistency } from '../../testing/history/history.ts'

export interface WriteCommand {
  readonly requestId: string
  readonly commandHash: string
  readonly statement: string
  readonly ttlMs: number
  readonly suspect?: boolean
  /** Copies were sent before. */
  readonly again?: boolean
}

export interface ReadCommand {
  readonly readId: string
  /** Which row. */
  readonly key: string
  readonly consistency: Consistency
  readonly minIndex: number
  readonly askedMs: number
}

/** A key that is no row: asks where the log ends, and is told `<term> <worker id>`. */
export const LOG_END = 'log end'

export interface WriteMessage {
  readonly kind: 'writes'
  readonly replyTo: string
  readonly term: number
  readonly commands: readonly WriteCommand[]
}

export interface ReadMessage {
  readonly kind: 'reads'
  readonly replyTo: string
  readonly reads: readonly ReadCommand[]
}

export interface Reply {
  readonly id: string
  readonly kind: 'write' | 'read'
  readonly status: number
  readonly body: Buffer
}

export const bodyOf = (index: number, result: string): Buffer => Buffer.from(`${index} ${result}`)

export function parseBody(body: Buffer): { index: number; result: string } {
  const text = body.toString()
  const at = text.indexOf(' ')
  return { index: Number(text.slice(0, at)), result: text.slice(at + 1) }
}
