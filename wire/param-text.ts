/**
 * A parameter as the text that PostgreSQL reads: arrays as array literals, other objects as
 * JSON. Pure.
 */
import type { Param } from './requests.ts'

/** Of arrays and objects in each other; PostgreSQL's own parsers hold some thousands. */
export const DEPTH_MAX = 500

export const quoted = (text: string): string => `"${text.replace(/["\\]/g, '\\$&')}"`

export function paramText(param: Param): string | null {
  if (param === null) return null
  if (Array.isArray(param)) return arrayText(param)
  return typeof param === 'object' ? JSON.stringify(param) : String(param)
}

function arrayText(values: readonly unknown[]): string {
  const items = values.map(value => {
    if (Array.isArray(value)) return arrayText(value)
    const text = paramText(value as Param)
    return text === null ? 'NULL' : quoted(text)
  })
  return `{${items.join(',')}}`
}

/** Whether `value` nests deeper than `DEPTH_MAX`. Not recursive: its depth is the caller's choice. */
export function isTooDeep(value: unknown): boolean {
  let level: unknown[] = [value]
  for (let depth = 0; depth < DEPTH_MAX; depth++) {
    const next: unknown[] = []
    for (const one of level) {
      if (typeof one !== 'object' || one === null) continue
      const inner = Array.isArray(one) ? one : Object.values(one)
      for (const item of inner) if (typeof item === 'object' && item !== null) next.push(item)
    }
    if (next.length === 0) return false
    level = next
  }
  return true
}

/** Whether half of a surrogate pair stands in a text that PostgreSQL would be given as it is. */
export function hasHalfPair(param: unknown): boolean {
  if (typeof param === 'string') return !param.isWellFormed()
  // In JSON it stays what it is: an escape.
  return Array.isArray(param) && param.some(hasHalfPair)
}
