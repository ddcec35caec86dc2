/**
 * What one walk over a parse tree finds that matters to admission, wherever it
 * stands in the statement. Keys of the tree come from the parser alone; what the
 * caller wrote stands only in values, so a key cannot be forged.
 */

export interface Findings {
  /** Data-modifying parts: the statement itself or a WITH query. */
  writes: boolean
  locks: boolean
  into: boolean
  /** Highest `$n`. */
  params: number
  readonly schemas: Set<string>
  readonly functions: Set<string>
  /** CURRENT_TIMESTAMP, CURRENT_USER and their like. */
  clockOrSession: boolean
  /** 'now'::timestamptz and its like: a constant to the parser, and another one on every worker. */
  frozenInstant: boolean
}

const WRITES = new Set(['InsertStmt', 'UpdateStmt', 'DeleteStmt', 'MergeStmt'])
const DATE_TYPES = new Set(['date', 'time', 'timetz', 'timestamp', 'timestamptz'])
const DATE_WORDS = /^\s*(now|today|tomorrow|yesterday)\b[\s\d:.+-]*$/i

type Tree = Readonly<Record<string, unknown>>

/** Not recursive: the depth of a statement is the caller's choice. */
export function walk(root: unknown): Findings {
  const found: Findings = {
    writes: false,
    locks: false,
    into: false,
    params: 0,
    schemas: new Set(),
    functions: new Set(),
    clockOrSession: false,
    frozenInstant: false
  }
  const open: unknown[] = [root]
  while (open.length > 0) {
    const node = open.pop()
    if (Array.isArray(node)) for (const item of node) open.push(item)
    else if (typeof node === 'object' && node !== null) {
      for (const [key, value] of Object.entries(node)) {
        note(found, key, value)
        if (typeof value === 'object') open.push(value)
      }
    }
  }
  return found
}

function note(found: Findings, key: string, value: unknown): void {
  if (WRITES.has(key)) found.writes = true
  else if (key === 'lockingClause') found.locks = true
  else if (key === 'intoClause') found.into = true
  else if (key === 'schemaname') found.schemas.add(String(value))
  else if (key === 'SQLValueFunction') found.clockOrSession = true
  else if (key === 'ParamRef') {
    found.params = Math.max(found.params, ((value as Tree)['number'] as number | undefined) ?? 0)
  } else if (key === 'TypeCast' && isDateWord(value as Tree)) found.frozenInstant = true
  else if (key === 'funcname' || key === 'names' || key === 'items') {
    const names = namesOf(value)
    if (names.length > 1) found.schemas.add(names.at(-2) as string)
    if (key === 'funcname') found.functions.add(names.at(-1) ?? '')
  }
}

/** The parts of a dotted name. */
export const namesOf = (value: unknown): string[] =>
  (Array.isArray(value) ? value : []).flatMap((part: Tree) => {
    const text = (part['String'] as Tree | undefined)?.['sval']
    return typeof text === 'string' ? [text] : []
  })

function isDateWord(cast: Tree): boolean {
  const typeName = namesOf((cast['typeName'] as Tree | undefined)?.['names']).at(-1)
  return DATE_TYPES.has(typeName ?? '') && saysDateWord(cast['arg'])
}

export function saysDateWord(constant: unknown): boolean {
  const literal = (constant as Tree | undefined)?.['A_Const'] as Tree | undefined
  const text = (literal?.['sval'] as Tree | undefined)?.['sval']
  return typeof text === 'string' && DATE_WORDS.test(text)
}
