/**
 * What a kind of statement is called in SQL, for messages. The parser's own names are
 * close to it where they are not listed: CreateSchemaStmt is CREATE SCHEMA.
 */

const NAMES: Readonly<Record<string, string>> = {
  AlterDatabaseSetStmt: 'ALTER DATABASE SET',
  AlterEventTrigStmt: 'ALTER EVENT TRIGGER',
  AlterFdwStmt: 'ALTER FOREIGN DATA WRAPPER',
  AlterForeignServerStmt: 'ALTER SERVER',
  AlterObjectDependsStmt: 'ALTER ... DEPENDS ON',
  AlterObjectSchemaStmt: 'ALTER ... SET SCHEMA',
  AlterOpFamilyStmt: 'ALTER OPERATOR FAMILY',
  AlterOwnerStmt: 'ALTER ... OWNER TO',
  AlterRoleSetStmt: 'ALTER ROLE SET',
  AlterStatsStmt: 'ALTER STATISTICS',
  AlterTSConfigurationStmt: 'ALTER TEXT SEARCH CONFIGURATION',
  AlterTSDictionaryStmt: 'ALTER TEXT SEARCH DICTIONARY',
  AlterTableMoveAllStmt: 'ALTER ... ALL IN TABLESPACE',
  AlterTableSpaceOptionsStmt: 'ALTER TABLESPACE',
  CheckPointStmt: 'CHECKPOINT',
  ClosePortalStmt: 'CLOSE',
  ConstraintsSetStmt: 'SET CONSTRAINTS',
  CreateAmStmt: 'CREATE ACCESS METHOD',
  CreateEventTrigStmt: 'CREATE EVENT TRIGGER',
  CreateFdwStmt: 'CREATE FOREIGN DATA WRAPPER',
  CreateForeignServerStmt: 'CREATE SERVER',
  CreateOpClassStmt: 'CREATE OPERATOR CLASS',
  CreateOpFamilyStmt: 'CREATE OPERATOR FAMILY',
  CreatePLangStmt: 'CREATE LANGUAGE',
  CreateStatsStmt: 'CREATE STATISTICS',
  CreateTableSpaceStmt: 'CREATE TABLESPACE',
  CreateTrigStmt: 'CREATE TRIGGER',
  CreatedbStmt: 'CREATE DATABASE',
  DeclareCursorStmt: 'DECLARE',
  DefineStmt: 'CREATE of an aggregate, operator, collation or text search object',
  DropTableSpaceStmt: 'DROP TABLESPACE',
  DropdbStmt: 'DROP DATABASE',
  GrantRoleStmt: 'GRANT or REVOKE of a role',
  GrantStmt: 'GRANT or REVOKE',
  RefreshMatViewStmt: 'REFRESH MATERIALIZED VIEW',
  RuleStmt: 'CREATE RULE',
  SecLabelStmt: 'SECURITY LABEL',
  TransactionStmt: 'transaction control',
  VacuumStmt: 'VACUUM or ANALYZE',
  VariableSetStmt: 'SET or RESET',
  VariableShowStmt: 'SHOW'
}

/** @param tag the parser's name for it */
export function statementName(tag: string, body: unknown): string {
  if (tag === 'CreateTableAsStmt') {
    const { objtype } = body as { objtype?: string }
    return objtype === 'OBJECT_MATVIEW' ? 'CREATE MATERIALIZED VIEW' : 'CREATE TABLE AS'
  }
  return NAMES[tag] ?? inWords(tag.replace(/Stmt$/, ''))
}

/** @param subtype the parser's name for what ALTER does, such as AT_DisableTrigAll */
export const alterationName = (subtype: string): string =>
  `ALTER ... ${inWords(subtype.replace(/^AT_/, ''))}`.replace(/\bTRIG\b/, 'TRIGGER')

const inWords = (name: string) => name.replace(/(?<=[a-z])(?=[A-Z])/g, ' ').toUpperCase()
