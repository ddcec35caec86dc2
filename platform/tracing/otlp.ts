/**
 * Sends spans to a collector: OTLP over HTTP, as JSON, some at a time. Why not with
 * OpenTelemetry's packages: docs/decisions/spans-without-a-library.md.
 * Invariants:
 * - Nobody waits for it, and nothing fails with it: a collector that is away costs spans.
 * - Bounded: what does not fit into the buffer is dropped, and counted; one request at a time.
 */
import { setInterval } from 'node:timers'
import type { Logger } from '../log.ts'
import { type Attributes, type EndedSpan, Tracer } from './tracer.ts'

const BUFFERED_MAX = 4_096
const BATCH_MAX = 512
const FLUSH_MS = 500
const TIMEOUT_MS = 2_000

export interface TracingConfig {
  readonly CONVOY_OTLP_URL?: string | undefined
  readonly CONVOY_TRACE_RATIO: number
}

export interface Process {
  readonly service: string
  readonly log: Logger
}

export type Tracing = Tracer | undefined

/** @returns undefined unless a collector is configured; what is buffered at the end is sent still */
export function openTracing(
  { CONVOY_OTLP_URL: url, CONVOY_TRACE_RATIO: ratio }: TracingConfig,
  process: Process & { readonly opened: AsyncDisposableStack }
): Tracing {
  if (url === undefined) return undefined
  const exporter = process.opened.use(new Exporter(url, process))
  return new Tracer({ ratio, ended: span => exporter.add(span) })
}

export class Exporter implements AsyncDisposable {
  readonly #url: string
  readonly #process: Process
  readonly #timer: NodeJS.Timeout
  #buffer: EndedSpan[] = []
  #sending: Promise<void> | undefined
  #dropped = 0
  #reached = true

  constructor(url: string, process: Process) {
    this.#url = `${url.replace(/\/$/, '')}/v1/traces`
    this.#process = process
    this.#timer = setInterval(() => this.#flush(), FLUSH_MS).unref()
  }

  /** Spans lost so far. */
  get dropped(): number {
    return this.#dropped
  }

  add(span: EndedSpan): void {
    if (this.#buffer.length >= BUFFERED_MAX) this.#dropped += 1
    else this.#buffer.push(span)
    if (this.#buffer.length >= BATCH_MAX) this.#flush()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer)
    await this.#sending
    this.#flush()
    await this.#sending
  }

  #flush(): void {
    if (this.#sending !== undefined || this.#buffer.length === 0) return
    const batch = this.#buffer.splice(0, BATCH_MAX)
    this.#sending = this.#send(batch).finally(() => {
      this.#sending = undefined
    })
  }

  async #send(batch: readonly EndedSpan[]): Promise<void> {
    try {
      const answer = await fetch(this.#url, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(requestOf(batch, this.#process.service)),
        signal: AbortSignal.timeout(TIMEOUT_MS)
      })
      await answer.arrayBuffer()
      if (!answer.ok) throw new Error(`the collector answered ${answer.status}`)
      this.#tell(true)
    } catch (err) {
      this.#dropped += batch.length
      this.#tell(false, err)
    }
  }

  /** Once when it goes, and once when it is back. */
  #tell(reached: boolean, err?: unknown): void {
    if (reached === this.#reached) return
    this.#reached = reached
    const { log } = this.#process
    if (reached) log.info({ dropped: this.#dropped }, 'spans are taken again')
    else log.warn({ err }, 'spans are lost: the collector takes none')
  }
}

/** The body of `POST /v1/traces`. */
export function requestOf(batch: readonly EndedSpan[], service: string): object {
  const resource = { attributes: listed({ 'service.name': service, 'process.pid': process.pid }) }
  const spans = batch.map(({ beganAtMs, endedAtMs, failed, attributes, ...span }) => ({
    ...span,
    startTimeUnixNano: nanoseconds(beganAtMs),
    endTimeUnixNano: nanoseconds(endedAtMs),
    attributes: listed(attributes),
    status: { code: failed ? 2 : 0 }
  }))
  return { resourceSpans: [{ resource, scopeSpans: [{ scope: { name: 'convoy' }, spans }] }] }
}

/** Exact to a microsecond: a double has no more room. */
const nanoseconds = (ms: number) => `${Math.round(ms * 1_000)}000`

const listed = (attributes: Attributes) =>
  Object.entries(attributes).map(([key, value]) => ({
    key,
    value: typeof value === 'number' ? { intValue: String(value) } : { stringValue: value }
  }))
