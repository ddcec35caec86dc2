/**
 * Parameters as they were sent, which JSON.parse may change without a word: it rounds
 * numbers, orders keys that are integers, and keeps one of several equal keys.
 * Such a parameter becomes the text that PostgreSQL is to read: a number its own digits, an
 * object its own JSON without the blanks, an array a literal of its items' own text. All
 * others stay as JSON.parse has made them, and so does the digest of their command.
 * Bodies without such parameters cost one search; only the others are read twice.
 */
import { isTooDeep, paramText, quoted } from './param-text.ts'
import type { Param } from './requests.ts'

/** A number of 16 digits or more, with an exponent, or a negative zero. It may stand in a text. */
const MAY_BE_ROUNDED = /[[,:\s](?:-0(?:\.0*)?(?![.\d])|-?(?:\d[\d.]{15}|\d+(?:\.\d+)?[eE]))/

const COMPARED_CHARS = 65_536

type Body = Readonly<Record<string, unknown>>

/**
 * @param text of a body, or of a call with one, which JSON.parse has taken
 * @param parsed what it has made of it; its parameters are replaced where they were changed
 */
export function keepExact(text: string, parsed: unknown): void {
  const lists = listsIn(parsed)
  if (lists.length === 0) return
  if (!MAY_BE_ROUNDED.test(text) && !lists.some(list => list.some(hasObject))) return
  const slices = new Cursor(text).lists()
  for (const [i, list] of lists.entries()) {
    const own = slices[i] ?? []
    for (let at = 0; at < list.length; at++) {
      const slice = own[at]
      if (slice !== undefined) list[at] = exactOf(slice, list[at] as Param)
    }
  }
}

/** The lists of parameters of a call, a read or a write, in the order of `Cursor.lists`. */
function listsIn(parsed: unknown): unknown[][] {
  const { body, statements, params } = fieldsOf(parsed)
  if (body !== undefined) return listsIn(body)
  if (!Array.isArray(statements)) return [listOf(params)]
  return statements.map(one => listOf(fieldsOf(one)['params']))
}

const fieldsOf = (value: unknown): Body =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Body) : {}

const listOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : [])

const hasObject = (param: unknown): boolean =>
  typeof param === 'object' && param !== null && !isTooDeep(param) && isOrHoldsObject(param)

function isOrHoldsObject(param: unknown): boolean {
  if (typeof param !== 'object' || param === null) return false
  return !Array.isArray(param) || param.some(isOrHoldsObject)
}

function exactOf(slice: string, param: Param): Param {
  if (typeof param === 'number') return exactNumber(slice, param)
  if (typeof param !== 'object' || param === null) return param
  if (isTooDeep(param)) return param // refused later, with a reason
  const text = Array.isArray(param) ? new Cursor(slice).arrayText() : new Cursor(slice).compact()
  // Writing it out to compare would take longer than all else.
  return text.length < COMPARED_CHARS && text === paramText(param) ? param : text
}

/** A number stays one where JavaScript holds what its digits denote. */
function exactNumber(text: string, value: number): number | string {
  if (Number.isInteger(value) && !Number.isSafeInteger(value)) return text
  if (text === String(value)) return value
  const { count, isZero } = digitsIn(text)
  if (value === 0) return Object.is(value, -0) || !isZero ? text : value
  // A double gives back any 15 digits, but for the largest and the smallest ones.
  const isOrdinary = Math.abs(value) > 1e-290 && Math.abs(value) < 1e290
  return isOrdinary && count <= 15 ? value : text
}

/** Before the exponent. */
function digitsIn(text: string): { count: number; isZero: boolean } {
  let count = 0
  let isZero = true
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === 69 || code === 101) break // e
    if (code < 48) continue // a sign, or the point
    count += 1
    if (code !== 48) isZero = false
  }
  return { count, isZero }
}

/** Finds its way through JSON text that is known to be valid. */
class Cursor {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  /** Of each list of parameters, the texts of its items. The last of equal keys counts. */
  lists(): string[][] {
    let lists: string[][] = [[]]
    let own: string[][] | undefined
    this.#members(key => {
      if (key === 'body') own = this.lists()
      else if (key === 'statements') lists = this.#statements()
      else if (key === 'params' && lists.length === 1) lists = [this.#items()]
      else this.#skip()
    })
    return own ?? lists
  }

  /** PostgreSQL's literal of an array. */
  arrayText(): string {
    const items: string[] = []
    this.#each('[', ']', () => items.push(this.#itemText()))
    return `{${items.join(',')}}`
  }

  /** The same JSON without blanks between its parts. */
  compact(): string {
    const parts: string[] = []
    let from = 0
    while (this.#at < this.#text.length) {
      const code = this.#text.charCodeAt(this.#at)
      if (code === QUOTE) this.#at = stringEnd(this.#text, this.#at)
      else if (code > SPACE) this.#at += 1
      else {
        parts.push(this.#text.slice(from, this.#at))
        this.#blanks()
        from = this.#at
      }
    }
    return parts.join('') + this.#text.slice(from)
  }

  #itemText(): string {
    if (this.#peek() === '[') return this.arrayText()
    const slice = this.#slice()
    if (slice === 'null') return 'NULL'
    if (slice.startsWith('"')) return quoted(JSON.parse(slice) as string)
    if (slice.startsWith('{')) return quoted(new Cursor(slice).compact())
    const isNumber = slice !== 'true' && slice !== 'false'
    return `"${isNumber ? exactNumber(slice, Number(slice)) : slice}"`
  }

  #statements(): string[][] {
    const lists: string[][] = []
    this.#each('[', ']', () => {
      let own: string[] = []
      this.#members(key => {
        if (key === 'params') own = this.#items()
        else this.#skip()
      })
      lists.push(own)
    })
    return lists
  }

  #items(): string[] {
    const items: string[] = []
    this.#each('[', ']', () => items.push(this.#slice()))
    return items
  }

  #members(visit: (key: string) => void): void {
    this.#each('{', '}', () => {
      const key = JSON.parse(this.#slice()) as string
      this.#blanks()
      this.#at += 1 // the colon
      this.#blanks()
      visit(key)
    })
  }

  /** Something of another kind is skipped: its form is checked elsewhere. */
  #each(open: string, close: string, visit: () => void): void {
    if (this.#peek() !== open) {
      this.#skip()
      return
    }
    this.#at += 1
    while (this.#peek() !== close) {
      visit()
      if (this.#peek() === ',') this.#at += 1
    }
    this.#at += 1
  }

  #slice(): string {
    this.#blanks()
    const from = this.#at
    this.#skip()
    return this.#text.slice(from, this.#at)
  }

  #peek(): string | undefined {
    this.#blanks()
    return this.#text[this.#at]
  }

  #blanks(): void {
    while (this.#text.charCodeAt(this.#at) <= SPACE) this.#at += 1
  }

  #skip(): void {
    this.#blanks()
    this.#at = valueEnd(this.#text, this.#at)
  }
}

/** Behind the value that begins at `at`. */
function valueEnd(text: string, at: number): number {
  let depth = 0
  let i = at
  do {
    const code = text.charCodeAt(i)
    if (code === QUOTE) i = stringEnd(text, i)
    else if (isOpening(code)) {
      depth += 1
      i += 1
    } else if (isClosing(code)) {
      depth -= 1
      i += 1
    } else if (depth > 0) i += 1
    else return wordEnd(text, i)
  } while (depth > 0)
  return i
}

/** Behind the string that begins at `at`. */
function stringEnd(text: string, at: number): number {
  let close = text.indexOf('"', at + 1)
  while (isEscaped(text, close)) close = text.indexOf('"', close + 1)
  return close + 1
}

function isEscaped(text: string, quote: number): boolean {
  let from = quote
  while (text.charCodeAt(from - 1) === BACKSLASH) from -= 1
  return (quote - from) % 2 === 1
}

/** Behind a number, true, false or null. */
function wordEnd(text: string, at: number): number {
  let i = at
  for (let code = text.charCodeAt(i); code > SPACE && code !== COMMA; code = text.charCodeAt(i)) {
    if (isClosing(code)) break
    i += 1
  }
  return i
}

const QUOTE = 34
const BACKSLASH = 92
const COMMA = 44
const SPACE = 32
const isOpening = (code: number) => code === 91 || code === 123
const isClosing = (code: number) => code === 93 || code === 125
