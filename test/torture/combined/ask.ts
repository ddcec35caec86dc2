/**
 * One request, whatever becomes of it. What an answer must not be goes to a judge that
 * knows docs/errors.md.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Dispatcher, request } from 'undici'
import { announcedIn, wrongWith } from './announced.ts'
import type { Told } from './ledger.ts'

const ERRORS = join(import.meta.dirname, '../../../docs/errors.md')
/** Of one kind: the first few tell all. */
const KEPT_MAX = 5

export interface Asked {
  readonly url: string
  readonly path: string
  readonly pool?: Dispatcher
  readonly judge: Judge
  readonly patienceMs: number
  /** POST with it, GET without. */
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

/** @returns status 0 where there was no answer */
export async function ask(asked: Asked): Promise<Told> {
  const { url, path, pool, judge, patienceMs, body, headers } = asked
  try {
    const reply = await request(`${url}${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      ...(pool === undefined ? {} : { dispatcher: pool }),
      signal: AbortSignal.timeout(patienceMs),
      headers: {
        ...headers,
        ...(body === undefined ? {} : { 'content-type': 'application/json' })
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) })
    })
    const text = await reply.body.text()
    const told = { status: reply.statusCode, body: text === '' ? undefined : JSON.parse(text) }
    judge.heard(`${path}`, told, reply.headers['retry-after'] !== undefined)
    return told
  } catch {
    return { status: 0, body: undefined }
  }
}

/** Collects answers that docs/errors.md does not explain, and counts all. */
export class Judge {
  readonly #announced = announcedIn(readFileSync(ERRORS, 'utf8'))
  readonly #wrong = new Map<string, string[]>()
  readonly #counts = new Map<string, number>()

  get problems(): string[] {
    return [...this.#wrong.values()].flat()
  }

  /** How often each kind of answer was given. */
  get counts(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#counts].sort(([a], [b]) => a.localeCompare(b)))
  }

  heard(path: string, { status, body }: Told, retryAfter: boolean): void {
    const error = (status < 400 ? {} : (body ?? {})) as { code?: string; sqlstate?: string }
    const { code = '', sqlstate } = error
    const kind = `${status}${code === '' ? '' : ` ${code}`}`
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + 1)
    const wrong = wrongWith({ status, code, retryAfter, sqlstate }, this.#announced)
    if (wrong === null) return
    const before = this.#wrong.get(wrong) ?? []
    if (before.length < KEPT_MAX) before.push(`${path}: ${wrong}: ${JSON.stringify(body)}`)
    this.#wrong.set(wrong, before)
  }
}
