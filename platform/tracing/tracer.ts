/**
 * Spans of what one process does for a request. There is a tracer only where traces are
 * exported (CONVOY_OTLP_URL); without one, a request costs nothing for it.
 * Invariant: who calls decides. A trace that is not recorded stays so in every process.
 */
import { randomBytes } from 'node:crypto'
import { parseTraceparent, traceparentText } from './traceparent.ts'

/** As OTLP numbers them. */
export const KIND = { server: 2, consumer: 5 } as const

export type Attributes = Readonly<Record<string, string | number>>

export interface EndedSpan {
  readonly name: string
  readonly kind: number
  readonly traceId: string
  readonly spanId: string
  /** None of the span that begins a trace. */
  readonly parentSpanId: string | undefined
  /** Milliseconds since 1970, with fractions. */
  readonly beganAtMs: number
  readonly endedAtMs: number
  readonly failed: boolean
  readonly attributes: Attributes
}

export interface Span {
  /** For the calls that are made on behalf of it. */
  readonly traceparent: string
  end(outcome: { readonly failed: boolean; readonly attributes: Attributes }): void
}

export interface Started {
  readonly name: string
  readonly kind: number
  /** The header or field that came with the request, whatever it holds. */
  readonly parent: unknown
  /** Milliseconds ago. */
  readonly sinceMs?: number
}

const nowMs = () => performance.timeOrigin + performance.now()

export class Tracer {
  readonly #ratio: number
  readonly #ended: (span: EndedSpan) => void
  readonly #random: () => number

  /** @param options.ratio part of the requests without a caller's decision that are recorded */
  constructor(options: {
    readonly ratio: number
    readonly ended: (span: EndedSpan) => void
    readonly random?: () => number
  }) {
    this.#ratio = options.ratio
    this.#ended = options.ended
    this.#random = options.random ?? Math.random
  }

  start({ name, kind, parent: header, sinceMs = 0 }: Started): Span {
    const parent = parseTraceparent(header)
    const traceId = parent?.traceId ?? randomBytes(16).toString('hex')
    const spanId = randomBytes(8).toString('hex')
    const sampled = parent?.sampled ?? this.#random() < this.#ratio
    const traceparent = traceparentText({ traceId, spanId, sampled })
    if (!sampled) return { traceparent, end() {} }
    const beganAtMs = nowMs() - sinceMs
    return {
      traceparent,
      end: ({ failed, attributes }) =>
        this.#ended({
          ...{ name, kind, traceId, spanId, parentSpanId: parent?.spanId },
          ...{ beganAtMs, endedAtMs: nowMs(), failed, attributes }
        })
    }
  }
}
