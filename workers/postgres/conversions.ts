/**
 * Finds in the text of an ALTER TABLE what it converts columns by: `ALTER c TYPE t USING e`.
 * PostgreSQL keeps no such expression, so it is asked for its tree before the statement runs
 * (schema-checks.sql). Reads PostgreSQL's tokens; a text that is not read to its end gives
 * nothing, and the database then refuses to convert rows. Pure.
 */

export interface Conversion {
  readonly expression: string
  readonly type: string
  readonly table: string
}

interface Token {
  /** In lower case where it is a plain word. */
  readonly word: string
  readonly from: number
  readonly to: number
  /** Brackets around it. */
  readonly depth: number
}

/** It goes on in the quotes of a later line. */
const ESCAPED =
  /[eE]'(?:[^'\\]|''|\\[\s\S])*'(?:(?:[ \t\f\v]|--[^\n\r]*)*[\n\r](?:[ \t\n\r\f\v]|--[^\n\r]*[\n\r])*'(?:[^'\\]|''|\\[\s\S])*')*/y
const TOKENS = [
  /--[^\n\r]*/y,
  /[ \t\n\r\f\v]+/y,
  /(?:[uU]&)?"(?:[^"]|"")*"/y,
  ESCAPED,
  /(?:[uU]&|[bBxXnN])?'(?:[^']|'')*'/y,
  /(\$(?:[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$)[\s\S]*?\1/y,
  /[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*/y,
  /\d[\w.]*/y,
  /[\s\S]/y
] as const
const BLANK = /^(?:--|\/\*|[ \t\n\r\f\v])/
const OPENING = new Set(['(', '['])
const CLOSING = new Set([')', ']'])

export function conversionsIn(sql: string): Conversion[] {
  const all = tokensOf(sql)
  const words = (at: number, ...expected: string[]) =>
    expected.every((word, i) => all[at + i]?.word === word)
  if (!words(0, 'alter', 'table')) return []
  let at = 2
  if (words(at, 'if', 'exists')) at += 2
  if (words(at, 'only')) at += 1
  const from = at
  while (all[at + 1]?.word === '.') at += 2
  const table = textOf(sql, all.slice(from, at + 1))
  at += words(at + 1, '*') ? 2 : 1
  return actionsOf(all.slice(at)).flatMap(action => conversionOf(sql, table, action))
}

function conversionOf(sql: string, table: string, action: readonly Token[]): Conversion[] {
  const is = (at: number, word: string) => action[at]?.word === word
  if (!is(0, 'alter')) return []
  const name = is(1, 'column') ? 2 : 1
  const set = is(name + 1, 'set') && is(name + 2, 'data') ? name + 3 : name + 1
  if (!is(set, 'type')) return []
  const rest = action.slice(set + 1)
  const outside = (word: string) => {
    const found = rest.findIndex(token => token.depth === 0 && token.word === word)
    return found === -1 ? rest.length : found
  }
  const using = outside('using')
  const type = textOf(sql, rest.slice(0, Math.min(using, outside('collate'))))
  const expression = using < rest.length ? rest.slice(using + 1) : action.slice(name, name + 1)
  return [{ expression: textOf(sql, expression), type, table }]
}

function actionsOf(tokens: readonly Token[]): Token[][] {
  const actions: Token[][] = [[]]
  for (const token of tokens) {
    if (token.depth === 0 && token.word === ';') break
    if (token.depth === 0 && token.word === ',') actions.push([])
    else actions.at(-1)?.push(token)
  }
  return actions
}

/** Nothing where brackets or comments do not close. */
function tokensOf(sql: string): Token[] {
  const tokens: Token[] = []
  let depth = 0
  let from = 0
  while (from < sql.length) {
    const to = sql.startsWith('/*', from) ? commentEnd(sql, from) : tokenEnd(sql, from)
    if (to === undefined) return []
    const text = sql.slice(from, to)
    if (CLOSING.has(text)) depth -= 1
    if (depth < 0) return []
    if (!BLANK.test(text)) tokens.push({ word: text.toLowerCase(), from, to, depth })
    if (OPENING.has(text)) depth += 1
    from = to
  }
  return depth === 0 ? tokens : []
}

function tokenEnd(sql: string, from: number): number | undefined {
  for (const pattern of TOKENS) {
    pattern.lastIndex = from
    if (pattern.test(sql)) return pattern.lastIndex
  }
  return undefined
}

/** Comments nest. */
function commentEnd(sql: string, from: number): number | undefined {
  const mark = /\/\*|\*\//g
  mark.lastIndex = from
  let open = 0
  for (let found = mark.exec(sql); found !== null; found = mark.exec(sql)) {
    open += found[0] === '/*' ? 1 : -1
    if (open === 0) return mark.lastIndex
  }
  return undefined
}

const textOf = (sql: string, tokens: readonly Token[]): string => {
  const [first, last] = [tokens[0], tokens.at(-1)]
  return first === undefined || last === undefined ? '' : sql.slice(first.from, last.to)
}
