/**
 * The written list of schema changes. They are replicated as text and run on every
 * worker, so whatever could come out differently from worker to worker is refused,
 * and so is what capture and apply cannot follow. Answers are reasons, in words.
 */
import type {
  AlterTableCmd,
  AlterTableStmt,
  ColumnDef,
  CompositeTypeStmt,
  Constraint,
  CreateEnumStmt,
  CreateRangeStmt,
  CreateSeqStmt,
  CreateStmt,
  DropStmt,
  IndexStmt,
  Node,
  PartitionBoundSpec,
  RangeVar,
  RenameStmt,
  TruncateStmt,
  ViewStmt
} from 'libpg-query'
import { RECORD_NAMES, RECORD_TABLE } from '../../wire/record-names.ts'
import { namesOf, saysDateWord, walk } from './findings.ts'
import { alterationName } from './statement-names.ts'

type Reason = string | undefined

const OBJECTS = new Set([
  'OBJECT_TABLE',
  'OBJECT_INDEX',
  'OBJECT_VIEW',
  'OBJECT_TYPE',
  'OBJECT_SEQUENCE'
])
const RENAMED = new Set([...OBJECTS, 'OBJECT_COLUMN', 'OBJECT_TABCONSTRAINT', 'OBJECT_ATTRIBUTE'])

const ALTERATIONS = new Set([
  'AT_AddColumn',
  'AT_DropColumn',
  'AT_ColumnDefault',
  'AT_SetNotNull',
  'AT_DropNotNull',
  'AT_DropExpression',
  'AT_SetStatistics',
  'AT_SetOptions',
  'AT_ResetOptions',
  'AT_SetStorage',
  'AT_SetCompression',
  'AT_AddConstraint',
  'AT_ValidateConstraint',
  'AT_DropConstraint',
  'AT_AlterColumnType',
  'AT_SetRelOptions',
  'AT_ResetRelOptions',
  'AT_AddIdentity',
  'AT_SetIdentity',
  'AT_DropIdentity',
  'AT_AttachPartition',
  'AT_DetachPartition'
])

const SERIAL = /^(small|big)?serial[248]?$/
const TEXTUAL = new Set(['text', 'varchar', 'bpchar', 'name', 'json', 'jsonb', 'bytea'])
/**
 * Built-in functions whose value depends on the clock, chance, the session or the server. Only for
 * an early answer: the master decides on the analysed expression (schema-trees.sql).
 */
const UNREPEATABLE =
  /^(now|random|setseed|clock_timestamp|statement_timestamp|transaction_timestamp|timeofday|nextval|currval|lastval|setval|gen_random_uuid|uuid_generate_.*|current_.*|txid_.*|pg_.*|version|inet_(client|server)_.*)$/

const FROZEN = "write now() or current_date, not a constant such as 'now'"

/** Why a statement of this kind is refused; undefined when it is taken. */
const RULES: Readonly<Record<string, (body: never) => Reason>> = {
  CreateStmt: createTable,
  AlterTableStmt: alterTable,
  DropStmt: drop,
  IndexStmt: createIndex,
  ViewStmt: createView,
  RenameStmt: rename,
  CreateEnumStmt: () => undefined,
  CompositeTypeStmt: () => undefined,
  CreateRangeStmt: () => undefined,
  AlterEnumStmt: () => undefined,
  CreateSeqStmt: (body: { sequence?: RangeVar }) => permanent(body.sequence),
  AlterSeqStmt: () => undefined
}

/** Names of what a statement removes, empties, alters or renames. */
const TOUCHED: Readonly<Record<string, (body: never) => readonly string[]>> = {
  AlterTableStmt: (body: AlterTableStmt) => namesIn([body.relation]),
  RenameStmt: (body: RenameStmt) => namesIn([body.relation]),
  DropStmt: (body: DropStmt) => (body.objects ?? []).flatMap(lastName),
  TruncateStmt: (body: TruncateStmt) =>
    namesIn((body.relations ?? []).map(node => ('RangeVar' in node ? node.RangeVar : undefined)))
}

/** Names that a statement gives to something. */
const GIVEN: Readonly<Record<string, (body: never) => readonly string[]>> = {
  CreateStmt: (body: CreateStmt) => [...ownName(body), ...constraintNames(body)],
  IndexStmt: (body: IndexStmt) => [body.idxname ?? ''],
  ViewStmt: (body: ViewStmt) => namesIn([body.view]),
  CreateSeqStmt: (body: CreateSeqStmt) => namesIn([body.sequence]),
  CompositeTypeStmt: (body: CompositeTypeStmt) => namesIn([body.typevar]),
  CreateEnumStmt: (body: CreateEnumStmt) => namesOf(body.typeName).slice(-1),
  CreateRangeStmt: (body: CreateRangeStmt) => namesOf(body.typeName).slice(-1),
  RenameStmt: (body: RenameStmt) =>
    body.renameType === 'OBJECT_COLUMN' ? [] : [body.newname ?? ''],
  AlterTableStmt: (body: AlterTableStmt) =>
    (body.cmds ?? []).flatMap(node =>
      'AlterTableCmd' in node && node.AlterTableCmd.def !== undefined
        ? namesOfConstraints([node.AlterTableCmd.def])
        : []
    )
}

/** Only the record itself is called so. */
const ownName = ({ relation, partbound }: CreateStmt): string[] =>
  namesIn([relation]).filter(name => name !== RECORD_TABLE || partbound !== undefined)

const constraintNames = ({ relation, tableElts = [], constraints = [] }: CreateStmt): string[] =>
  relation?.relname === RECORD_TABLE ? [] : namesOfConstraints([...tableElts, ...constraints])

function namesOfConstraints(parts: readonly Node[]): string[] {
  return parts.flatMap(part => {
    if ('Constraint' in part) return [part.Constraint.conname ?? '']
    return 'ColumnDef' in part ? namesOfConstraints(part.ColumnDef.constraints ?? []) : []
  })
}

/** Indexes too: the name of a key says who was first. */
export function refuseKept(tag: string, body: unknown): Reason {
  const isKept = (name: string) => RECORD_NAMES.has(name)
  const touched = TOUCHED[tag]?.(body as never).find(isKept)
  if (touched !== undefined) return `${touched} holds what Convoy's services did; it stays`
  const given = GIVEN[tag]?.(body as never).find(isKept)
  return given === undefined ? undefined : `the name ${given} is kept for Convoy's services`
}

export const isSchemaChange = (tag: string): boolean => Object.hasOwn(RULES, tag)

export function refuseSchemaChange(tag: string, body: unknown): Reason {
  // Frozen at another instant on every worker.
  if (walk(body).frozenInstant) return FROZEN
  return RULES[tag]?.(body as never)
}

function createTable(table: CreateStmt): Reason {
  if (table.ofTypename !== undefined) return 'CREATE TABLE OF is not taken'
  if (table.tablespacename !== undefined) return 'tablespaces are not taken'
  if (table.inhRelations !== undefined && table.partbound === undefined) {
    return 'INHERITS is not taken'
  }
  const parts = [...(table.tableElts ?? []), ...(table.constraints ?? [])]
  return (
    permanent(table.relation) ??
    partitionBound(table.partbound) ??
    first(parts, part => tablePart(part, { filled: false })) ??
    (table.partbound !== undefined || parts.some(givesKey)
      ? undefined
      : 'a table needs a primary key')
  )
}

function alterTable(alter: AlterTableStmt): Reason {
  if (!OBJECTS.has(alter.objtype ?? '')) return 'this kind of object is not altered'
  return first(alter.cmds ?? [], node =>
    'AlterTableCmd' in node ? alteration(node.AlterTableCmd) : undefined
  )
}

function alteration(command: AlterTableCmd): Reason {
  const { subtype = '', def } = command
  if (!ALTERATIONS.has(subtype)) return `${alterationName(subtype)} is not taken`
  if (def === undefined) return undefined
  if (subtype === 'AT_ColumnDefault') return defaultValue(def, undefined)
  if (subtype === 'AT_AlterColumnType' && 'ColumnDef' in def) {
    return repeatable(def.ColumnDef.raw_default, 'USING')
  }
  if ('PartitionCmd' in def) {
    if (def.PartitionCmd.concurrent) return 'CONCURRENTLY is not taken'
    return partitionBound(def.PartitionCmd.bound)
  }
  return tablePart(def, { filled: true })
}

/** @param where whether the table may hold rows already, which a new column would fill */
function tablePart(part: Node, where: { filled: boolean }): Reason {
  if ('Constraint' in part) return constraint(part.Constraint)
  if (!('ColumnDef' in part)) return undefined
  const column = part.ColumnDef
  const type = namesOf(column.typeName?.names).at(-1) ?? ''
  if (where.filled && SERIAL.test(type)) return 'a serial column is not added to a table'
  return first(column.constraints ?? [], node => {
    if (!('Constraint' in node)) return undefined
    return constraint(node.Constraint) ?? columnValue(column, node.Constraint, where)
  })
}

function columnValue(column: ColumnDef, rule: Constraint, where: { filled: boolean }): Reason {
  if (where.filled && rule.contype === 'CONSTR_IDENTITY') {
    return 'an identity column is not added to a table'
  }
  if (rule.contype !== 'CONSTR_DEFAULT') return undefined
  if (where.filled && !isConstant(rule.raw_expr)) {
    return 'the default of an added column must be a constant'
  }
  return defaultValue(rule.raw_expr, namesOf(column.typeName?.names).at(-1))
}

/** Later rows are replicated by value, so a default may be volatile; it may not be frozen. */
function defaultValue(expression: Node | undefined, type: string | undefined): Reason {
  return saysDateWord(expression) && !TEXTUAL.has(type ?? '') ? FROZEN : undefined
}

function constraint(rule: Constraint): Reason {
  const { contype } = rule
  if (rule.deferrable || rule.initdeferred) return 'DEFERRABLE is not taken'
  if (contype === 'CONSTR_ATTR_DEFERRABLE' || contype === 'CONSTR_ATTR_DEFERRED') {
    return 'DEFERRABLE is not taken'
  }
  return contype === 'CONSTR_CHECK' ? repeatable(rule.raw_expr, 'CHECK') : undefined
}

/** Evaluated again on every worker, so it must give the same everywhere. */
function repeatable(expression: Node | undefined, where: string): Reason {
  const { functions, clockOrSession } = walk(expression)
  const odd = [...functions].find(name => UNREPEATABLE.test(name))
  if (odd !== undefined) return `${odd}() is not taken in ${where}`
  return clockOrSession ? `the clock or the session is not taken in ${where}` : undefined
}

const partitionBound = (bound: PartitionBoundSpec | undefined): Reason =>
  [bound?.listdatums, bound?.lowerdatums, bound?.upperdatums]
    .flatMap(datums => datums ?? [])
    .every(datum => isBound(datum) || 'ColumnRef' in datum) // MINVALUE parses as a name
    ? undefined
    : 'bounds of a partition must be constants'

function createIndex(index: IndexStmt): Reason {
  return index.concurrent ? 'CONCURRENTLY is not taken' : undefined
}

function createView(view: ViewStmt): Reason {
  return permanent(view.view)
}

function drop(statement: DropStmt): Reason {
  if (!OBJECTS.has(statement.removeType ?? '')) return 'this kind of object is not dropped'
  return statement.concurrent ? 'CONCURRENTLY is not taken' : undefined
}

function rename(statement: RenameStmt): Reason {
  return RENAMED.has(statement.renameType ?? '') ? undefined : 'this kind of object is not renamed'
}

const namesIn = (relations: readonly (RangeVar | undefined)[]): string[] =>
  relations.flatMap(relation => relation?.relname ?? [])

/** Of a dotted name, as DROP has them. */
const lastName = (node: Node): string[] =>
  'List' in node ? namesOf(node.List.items).slice(-1) : []

function permanent(relation: RangeVar | undefined): Reason {
  return (relation?.relpersistence ?? 'p') === 'p' ? undefined : 'TEMP and UNLOGGED are not taken'
}

function givesKey(part: Node): boolean {
  if ('TableLikeClause' in part) return true // It may copy one; the database has the last word.
  if ('Constraint' in part) return part.Constraint.contype === 'CONSTR_PRIMARY'
  return 'ColumnDef' in part && (part.ColumnDef.constraints ?? []).some(givesKey)
}

/**
 * PostgreSQL evaluates a bound and keeps only its value, so the database cannot see what it was
 * made of: a cast of a cast may have gone by an object identifier.
 */
function isBound(node: Node | undefined): boolean {
  if (node === undefined) return false
  if ('A_Const' in node) return true
  if ('A_Expr' in node) return node.A_Expr.lexpr === undefined && isBound(node.A_Expr.rexpr)
  if (!('TypeCast' in node)) return false
  const { arg, typeName } = node.TypeCast
  const type = namesOf(typeName?.names).at(-1) ?? ''
  return arg !== undefined && 'A_Const' in arg && !/^(reg|oid$)/.test(type)
}

function isConstant(node: Node | undefined): boolean {
  if (node === undefined) return false
  if ('A_Const' in node) return true
  if ('TypeCast' in node) return isConstant(node.TypeCast.arg)
  if ('A_ArrayExpr' in node) return (node.A_ArrayExpr.elements ?? []).every(isConstant)
  return 'A_Expr' in node && node.A_Expr.lexpr === undefined && isConstant(node.A_Expr.rexpr)
}

function first<T>(items: readonly T[], reason: (item: T) => Reason): Reason {
  for (const item of items) {
    const found = reason(item)
    if (found !== undefined) return found
  }
  return undefined
}
