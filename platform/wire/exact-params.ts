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
const NUMBER = /^(-?)0*(\d*)(?:\.(\d*))?(?:[eE]([-+]?\d+))?$/

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
  return text === paramText(param) ? param : text
}

/** A number stays one where its digits denote what JavaScript holds. */
function exactNumber(text: string, value: number): number | string {
  const isExact = Number.isSafeInteger(value) || !Number.isInteger(value)
  return isExact && decimalOf(text) === decimalOf(String(value)) ? value : text
}

/** One text for all spellings of a number: `1.0`, `10e-1` and `1`. */
function decimalOf(text: string): string {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = NUMBER.exec(text) ?? [text, text]
  const digits = (whole + fraction).replace(/0+$/, '')
  const significant = digits.replace(/^0+/, '')
  if (significant === '') return `${sign}0`
  const power = BigInt(exponent) + BigInt(whole.length) - BigInt(digits.length - significant.length)
  return `${sign}${significant}e${power}`
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
      if (code === 34) this.#skipString()
      else if (code > 32) this.#at += 1
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
    return quoted(isNumber ? String(exactNumber(slice, Number(slice))) : slice)
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
    while (this.#text.charCodeAt(this.#at) <= 32) this.#at += 1
  }

  #skip(): void {
    let depth = 0
    this.#blanks()
    do {
      const char = this.#text[this.#at]
      if (char === '"') this.#skipString()
      else {
        if (char === '{' || char === '[') depth += 1
        else if (char === '}' || char === ']') depth -= 1
        this.#at += 1
        if (depth === 0 && !isBracket(char)) this.#skipWord()
      }
    } while (depth > 0)
  }

  #skipString(): void {
    let close = this.#text.indexOf('"', this.#at + 1)
    while (this.#isEscaped(close)) close = this.#text.indexOf('"', close + 1)
    this.#at = close + 1
  }

  #isEscaped(quote: number): boolean {
    let from = quote
    while (this.#text[from - 1] === '\\') from -= 1
    return (quote - from) % 2 === 1
  }

  /** Of a number, true, false or null. */
  #skipWord(): void {
    while (/[\w.+-]/.test(this.#text[this.#at] ?? '')) this.#at += 1
  }
}

const isBracket = (char: string | undefined) => char !== undefined && '{}[]'.includes(char)
