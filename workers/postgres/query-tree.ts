/**
 * Reads the tree of an analysed and rewritten query, as PostgreSQL prints it: which
 * relations, functions, operators and types it names, by OID. Views are expanded, and
 * nothing is left out yet, as a planner may do. Pure.
 * Invariant: a tree with a node that is not known here gives nothing. Names of the
 * user's cannot pass for part of the tree: PostgreSQL writes `\` before braces and spaces.
 */

export interface Named {
  readonly relations: readonly number[]
  readonly functions: readonly number[]
  readonly operators: readonly number[]
  /** Types of constants. */
  readonly constants: readonly number[]
  /** Type of each parameter, by its place from 0. */
  readonly params: ReadonlyMap<number, number>
}

/** Nodes that call nothing but the functions and operators that they name. */
const KNOWN = new Set(
  `QUERY RANGETBLENTRY RANGETBLFUNCTION RANGETBLREF ALIAS FROMEXPR JOINEXPR TARGETENTRY
  COMMONTABLEEXPR SETOPERATIONSTMT SORTGROUPCLAUSE GROUPINGSET GROUPINGFUNC WINDOWCLAUSE
  TABLESAMPLECLAUSE VAR CONST PARAM FUNCEXPR NAMEDARGEXPR OPEXPR DISTINCTEXPR NULLIFEXPR
  SCALARARRAYOPEXPR ROWCOMPAREEXPR BOOLEXPR SUBLINK CASEEXPR CASE CASEWHEN WHEN CASETESTEXPR
  COALESCEEXPR COALESCE MINMAXEXPR MINMAX NULLTEST BOOLEANTEST ARRAYEXPR ARRAY ROWEXPR ROW
  ARRAYCOERCEEXPR RELABELTYPE COLLATEEXPR COLLATE SUBSCRIPTINGREF FIELDSELECT AGGREF
  WINDOWFUNC`.split(/\s+/)
)

const FUNCTION =
  /:(?:funcid|opfuncid|aggfnoid|winfnoid|tsmhandler|startInRangeFunc|endInRangeFunc)\s+(\d+)/g
const OPERATOR = /:(?:opno|eqop|sortop)\s+(\d+)/g
const OPERATORS = /:opnos\s+\(o((?:\s+\d+)*)\)/g
const RELATION = /:relid\s+(\d+)/g
const CONSTANT = /:consttype\s+(\d+)/g
const PARAM = /:paramkind\s+0\s+:paramid\s+(\d+)\s+:paramtype\s+(\d+)/g
/** `xmin`, `ctid` and their like are not what a row holds. */
const SYSTEM_COLUMN = /:varattno\s+-/
const ROW_SECURITY = /:hasRowSecurity\s+true|:securityQuals\s+\(/

/** Null for what may come out differently though no row has changed, as far as is known here. */
export function namedIn(tree: string): Named | null {
  const nodes = new Set(tree.matchAll(/\{([A-Z]*)/g).map(([, tag]) => tag ?? ''))
  if (nodes.size === 0 || nodes.difference(KNOWN).size > 0) return null
  if (SYSTEM_COLUMN.test(tree) || ROW_SECURITY.test(tree)) return null
  const params = new Map<number, number>()
  for (const [, at, type] of tree.matchAll(PARAM)) params.set(Number(at) - 1, Number(type))
  const lists = tree.matchAll(OPERATORS).flatMap(([, oids]) => oids?.match(/\d+/g) ?? [])
  return {
    relations: idsIn(tree, RELATION),
    functions: idsIn(tree, FUNCTION),
    operators: [...idsIn(tree, OPERATOR), ...lists.map(Number)],
    constants: idsIn(tree, CONSTANT),
    params
  }
}

/** Without 0, which stands for none. */
const idsIn = (tree: string, pattern: RegExp): number[] =>
  [...new Set(tree.matchAll(pattern).map(([, id]) => Number(id)))].filter(id => id !== 0)
