/**
 * What an application may pass as a parameter, and the JSON that carries it (docs/values.md).
 * Invariant: a value arrives as it is, or InvalidParameterError is thrown before anything is
 * sent; nothing becomes something else because JSON has no form for it.
 */
import { DEPTH_MAX } from '../wire/param-text.ts'

export type Param =
  | string
  | number
  | bigint
  | boolean
  | null
  | Date
  | Uint8Array
  | ArrayBuffer
  | readonly Param[]
  | JsonObject

/** For `json` and `jsonb`. An object with `toJSON` stands for what that returns. */
export interface JsonObject {
  readonly [key: string]: unknown
}

/** A bug of the caller's. Nothing was sent. */
export class InvalidParameterError extends TypeError {
  override readonly name = 'InvalidParameterError'
  readonly code = 'CONVOY_INVALID_PARAMETER'
  /** Counted from 1, as in the SQL. */
  readonly parameter: number

  constructor(at: number, what: string) {
    super(`parameter $${at + 1} ${what}`)
    this.parameter = at + 1
  }
}

/** @throws InvalidParameterError */
export function paramsJson(params: readonly Param[] = []): unknown[] {
  return Array.from(params, (param, at) => {
    try {
      return textFormOf(param, 0)
    } catch (error) {
      throw error instanceof Unfit ? new InvalidParameterError(at, error.message) : error
    }
  })
}

class Unfit extends Error {}

/** A value that PostgreSQL is given as text, whatever its type there. */
function textFormOf(value: unknown, depth: number): unknown {
  if (typeof value === 'number') return numberOf(value)
  if (typeof value === 'bigint') return `${value}`
  if (typeof value !== 'object' || value === null) return scalarOf(value)
  if (value instanceof Uint8Array) return bytesOf(value)
  if (value instanceof ArrayBuffer) return bytesOf(new Uint8Array(value))
  if (value instanceof Date) return dateOf(value)
  if (Array.isArray(value)) return itemsOf(value, depth, textFormOf)
  return hasToJson(value) ? textFormOf(value.toJSON(), deeper(depth)) : objectOf(value, depth)
}

/** A value within JSON, where digits are digits and bytes have no form. */
function jsonOf(value: unknown, depth: number): unknown {
  if (typeof value === 'bigint') return rawJson(`${value}`)
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new Unfit(`holds ${value}, which JSON has no form for`)
    const digits = digitsOf(value)
    return digits === undefined ? value : rawJson(digits)
  }
  if (typeof value !== 'object' || value === null) return scalarOf(value)
  if (value instanceof Date) return dateOf(value)
  if (Array.isArray(value)) return itemsOf(value, depth, jsonOf)
  if (ArrayBuffer.isView(value)) throw new Unfit('holds bytes, which JSON has no form for')
  return hasToJson(value) ? jsonOf(value.toJSON(), deeper(depth)) : objectOf(value, depth)
}

/** Those that JSON has no digits for, as PostgreSQL writes them. */
function numberOf(value: number): number | string {
  return Number.isFinite(value) ? (digitsOf(value) ?? value) : `${value}`
}

/** Of those that JavaScript writes with other digits than they have: 2 ** 60 ends in 7000 there. */
function digitsOf(value: number): string | undefined {
  if (Object.is(value, -0)) return '-0'
  if (Number.isSafeInteger(value) || !Number.isInteger(value)) return undefined
  return Math.abs(value) < 1e21 ? `${BigInt(value)}` : undefined
}

function scalarOf(value: unknown): unknown {
  if (value === null || typeof value === 'boolean') return value
  if (typeof value !== 'string') throw new Unfit(`is, or holds, ${kindOf(value)}`)
  if (!value.isWellFormed()) throw new Unfit('holds half of a surrogate pair')
  return value
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Uint8Array): string =>
  `\\x${Buffer.from(buffer, byteOffset, byteLength).toString('hex')}`

/** Years before 1 and after 9999 have a form of their own in PostgreSQL. */
function dateOf(date: Date): string {
  if (Number.isNaN(date.getTime())) throw new Unfit('is, or holds, an invalid Date')
  const year = date.getUTCFullYear()
  const rest = date.toISOString().slice(-'-01-01T00:00:00.000Z'.length)
  const digits = `${year > 0 ? year : 1 - year}`.padStart(4, '0')
  return year > 0 ? `${digits}${rest}` : `${digits}${rest} BC`
}

/** Holes too. */
function itemsOf(
  items: readonly unknown[],
  depth: number,
  each: (item: unknown, depth: number) => unknown
): unknown[] {
  const inner = deeper(depth)
  return Array.from(items, item => each(item, inner))
}

function objectOf(value: object, depth: number): unknown {
  // Map, Set, RegExp, Promise, a boxed number: JSON would make {} of them.
  if (Object.prototype.toString.call(value) !== '[object Object]') {
    throw new Unfit(`is, or holds, ${kindOf(value)}`)
  }
  const inner = deeper(depth)
  const entries = Object.entries(value).map(([key, item]) => [scalarOf(key), jsonOf(item, inner)])
  // Object.fromEntries keeps a key __proto__ as data.
  return Object.fromEntries(entries)
}

/** What refers to itself has no end either. */
function deeper(depth: number): number {
  if (depth >= DEPTH_MAX) throw new Unfit(`is nested more than ${DEPTH_MAX} levels deep`)
  return depth + 1
}

const hasToJson = (value: object): value is { toJSON(): unknown } =>
  typeof (value as { toJSON?: unknown }).toJSON === 'function'

function kindOf(value: unknown): string {
  if (typeof value !== 'object' || value === null) return `a value of type ${typeof value}`
  return `a ${Object.prototype.toString.call(value).slice('[object '.length, -1)}`
}

/** Digits that JSON.stringify puts in as they are; the library's types do not know it yet. */
const { rawJSON: rawJson } = JSON as unknown as { rawJSON(text: string): object }
