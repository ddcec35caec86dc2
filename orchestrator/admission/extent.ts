/**
 * How large a statement's parse tree can become, told from its tokens before it is parsed:
 * how deep it nests, and how many nodes it holds. Reads the text as PostgreSQL's lexer does.
 * Invariants:
 * - No text is admitted that nests deeper than the parser's stack holds. Each level of the
 *   tree needs a bracket, a CASE, or a token since the last comma, so counting these gives
 *   an upper bound. Measured: the parser holds 960 levels of the worst kind (`with x as
 *   (insert ...`), and 4,600 links of the worst kind (`a join a join ... on`).
 * - No text is parsed in more than linear time. The lexer reads a run of operator
 *   characters anew at each of them, and the parser copies the right side of
 *   `set (a, b) = ...` for each column: 8 KB of these took 0.2 s and 0.5 s.
 */
import { SqlNotAllowedError } from '../errors.ts'

/** Open brackets and CASEs. */
const LEVELS_MAX = 200
/** Tokens that can each add a level of their own: operators, casts, set operations, joins. */
const LINKS_MAX = 2_000
/** 400,000 took up to 1.3 s and 160 MB. Beyond, values belong into parameters. */
export const NODES_MAX = 400_000
const OPERATOR_CHARS_MAX = 256
const COMMENTS_DEPTH_MAX = 32

const OPERATORS = /[~!@#^&|`?+\-*/%<>=]+/y
/** Lexed once, however long they are. */
const RULER = /^(--|\/\*+\/?$)/
const WORD = /[a-z_\x80-\uffff][\w$\x80-\uffff]*/iy
const NUMBER = /[\w.]+/y
const DOLLAR = /\$(?:[a-z_\x80-\uffff][\w\x80-\uffff]*)?\$/iy
const COMMENT_MARK = /\/\*|\*\//g
const LINE_END = /[\n\r]/g

/** Reserved words that end an expression: what follows is no deeper than what stood before. */
const ENDING = new Set(['or', 'when', 'then', 'else', 'select', 'where', 'on', 'having'])
/** Each takes all that stands before it as its left side, commas or not. */
const LINKING = new Set(['union', 'intersect', 'except', 'join'])

interface Level {
  readonly isCase: boolean
  /** Tokens since the last comma, or what else ends an expression. */
  run: number
  /** Links that no comma ends. */
  links: number
  /** BETWEENs whose AND has not come. */
  betweens: number
  items: number
  /** Columns that share the right side that began at `copiesFrom`, where there are such. */
  copies: number
  copiesFrom: number
}

const levelOf = (isCase: boolean): Level => ({
  ...{ isCase, run: 0, links: 0, betweens: 0 },
  ...{ items: 1, copies: 1, copiesFrom: 0 }
})

/**
 * @returns nodes that the parser may have to make, about
 * @throws SqlNotAllowedError
 */
export function extentOf(sql: string): number {
  const extent = new Extent()
  let at = 0
  while (at < sql.length) at = step(sql, at, extent)
  return extent.end()
}

/** @returns where the next token begins */
function step(sql: string, at: number, extent: Extent): number {
  const code = sql.charCodeAt(at)
  if (code === 32 || (code >= 9 && code <= 13)) return at + 1
  const char = sql[at] as string
  if (char === "'" || char === '"') {
    extent.token()
    return quotedEnd(sql, at, char)
  }
  if (char === '(' || char === '[') {
    extent.open(false)
    return at + 1
  }
  if (char === ')' || char === ']') extent.close()
  else if (char === ',' || char === ';') extent.comma()
  else if (char === '.') extent.dot()
  else return longToken(sql, at, extent)
  return at + 1
}

function longToken(sql: string, at: number, extent: Extent): number {
  const operators = match(OPERATORS, sql, at)
  if (operators !== '') return operatorsEnd(sql, { at, text: operators, extent })
  const word = match(WORD, sql, at)
  if (word !== '') {
    extent.word(word)
    const end = at + word.length
    if (sql[end] === "'" && (word === 'e' || word === 'E')) return escapedEnd(sql, end)
    return end
  }
  extent.token()
  const number = match(NUMBER, sql, at)
  if (number !== '') return at + number.length
  const tag = match(DOLLAR, sql, at)
  if (tag === '') return at + 1
  const close = sql.indexOf(tag, at + tag.length)
  return close === -1 ? sql.length : close + tag.length
}

function operatorsEnd(
  sql: string,
  { at, text, extent }: { at: number; text: string; extent: Extent }
): number {
  if (text.length > OPERATOR_CHARS_MAX && !RULER.test(text)) {
    throw new SqlNotAllowedError(`more than ${OPERATOR_CHARS_MAX} operator characters in a row`)
  }
  if (text.startsWith('--')) return indexAfter(LINE_END, sql, at)
  if (text.startsWith('/*')) return commentEnd(sql, at)
  const comment = text.search(/--|\/\*/)
  const operator = comment === -1 ? text : text.slice(0, comment)
  if (operator === '=') extent.equals()
  // `+-1`: as many as there are characters, at most.
  for (let n = 0; n < operator.length; n++) extent.token()
  return at + operator.length
}

function match(pattern: RegExp, sql: string, at: number): string {
  pattern.lastIndex = at
  return pattern.exec(sql)?.[0] ?? ''
}

function indexAfter(pattern: RegExp, sql: string, at: number): number {
  pattern.lastIndex = at
  return pattern.test(sql) ? pattern.lastIndex : sql.length
}

/** Behind the closing quote; a doubled one is a part of the text. */
function quotedEnd(sql: string, at: number, quote: string): number {
  let close = sql.indexOf(quote, at + 1)
  while (close !== -1 && sql[close + 1] === quote) close = sql.indexOf(quote, close + 2)
  return close === -1 ? sql.length : close + 1
}

/** Of E'...', where a backslash takes a quote for a character. */
function escapedEnd(sql: string, at: number): number {
  for (let i = at + 1; i < sql.length; i++) {
    if (sql[i] === '\\') i += 1
    else if (sql[i] === "'") {
      if (sql[i + 1] !== "'") return i + 1
      i += 1
    }
  }
  return sql.length
}

function commentEnd(sql: string, at: number): number {
  let depth = 0
  COMMENT_MARK.lastIndex = at
  for (let mark = COMMENT_MARK.exec(sql); mark !== null; mark = COMMENT_MARK.exec(sql)) {
    depth += mark[0] === '/*' ? 1 : -1
    if (depth > COMMENTS_DEPTH_MAX) throw new SqlNotAllowedError('comments are nested too deeply')
    if (depth === 0) return COMMENT_MARK.lastIndex
  }
  return sql.length
}

class Extent {
  readonly #levels: Level[] = [levelOf(false)]
  #top = this.#levels[0] as Level
  /** Of all open levels. */
  #links = 0
  #nodes = 0
  /** What stood before the token at hand: as a name is behind a dot or AS, whatever the word. */
  #before: 'dot' | 'as' | 'other' = 'other'
  /** Items of the bracket that has just been closed. */
  #closed = 0

  token(): void {
    this.#nodes += 1
    // Parts of a dotted name are a flat list.
    if (this.#before !== 'dot') this.#link()
    this.#before = 'other'
    this.#closed = 0
  }

  word(text: string): void {
    const { isName } = this
    // No word of interest is longer.
    const word = isName || text.length > 9 ? '' : text.toLowerCase()
    this.token()
    if (word === 'case') this.open(true)
    else if (word === 'end' && this.#top.isCase) this.#pop()
    else if (word === 'between') this.#top.betweens += 1
    else if (word === 'and' && this.#top.betweens > 0) this.#top.betweens -= 1
    else if (word === 'and' || ENDING.has(word)) this.#endRun()
    else if (LINKING.has(word)) {
      this.#top.links += 1
      this.#count(1)
    } else if (word === 'as') this.#before = 'as'
  }

  get isName(): boolean {
    return this.#before !== 'other'
  }

  dot(): void {
    this.#before = 'dot'
    this.#closed = 0
  }

  comma(): void {
    this.#nodes += 1
    this.#settleCopies()
    this.#top.betweens = 0
    this.#top.items += 1
    this.#endRun()
    this.#before = 'other'
    this.#closed = 0
  }

  open(isCase: boolean): void {
    this.#top = levelOf(isCase)
    if (this.#levels.push(this.#top) > LEVELS_MAX) tooDeep()
    this.#before = 'other'
    this.#closed = 0
  }

  close(): void {
    while (this.#top.isCase) this.#pop()
    const { items } = this.#top
    this.#pop()
    this.token()
    this.#closed = items
  }

  /** Behind a list of several columns, what follows may be copied for each. */
  equals(): void {
    if (this.#closed < 2) return
    this.#settleCopies()
    this.#top.copies = this.#closed
    this.#top.copiesFrom = this.#nodes
  }

  end(): number {
    while (this.#levels.length > 1) this.#pop()
    this.#settleCopies()
    return this.#checked()
  }

  #pop(): void {
    if (this.#levels.length === 1) return // the parser will say what is wrong
    this.#settleCopies()
    this.#links -= this.#top.run + this.#top.links
    this.#levels.pop()
    this.#top = this.#levels.at(-1) as Level
  }

  #link(): void {
    this.#top.run += 1
    this.#count(1)
  }

  #count(links: number): void {
    this.#links += links
    if (this.#links > LINKS_MAX) tooDeep()
  }

  #endRun(): void {
    this.#links -= this.#top.run
    this.#top.run = 0
  }

  #settleCopies(): void {
    const { copies, copiesFrom } = this.#top
    if (copies > 1) this.#nodes += (copies - 1) * (this.#nodes - copiesFrom)
    this.#top.copies = 1
    this.#checked()
  }

  #checked(): number {
    if (this.#nodes <= NODES_MAX) return this.#nodes
    throw new SqlNotAllowedError('the statement has too many parts; send values as parameters')
  }
}

function tooDeep(): never {
  throw new SqlNotAllowedError('the statement is nested too deeply')
}
