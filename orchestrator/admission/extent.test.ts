/**
 * What bounds a parse tree, checked against the parser: of each kind of nesting the deepest
 * text that is let through must be one that a parser holds, also when it is one that has
 * parsed much before.
 */
import t from 'tap'
import type { ServiceError } from '../../wire/errors.ts'
import { SqlSyntaxError } from '../errors.ts'
import { extentOf } from './extent.ts'
import { openParser } from './parser.ts'

const parser = await openParser()

/** The reason, or undefined. */
function refused(sql: string): string | undefined {
  try {
    extentOf(sql)
    return undefined
  } catch (error) {
    return (error as ServiceError).message
  }
}

/** What stands before, between and behind, repeated. */
type Nesting = (n: number) => string
const around =
  (open: string, core: string, close: string): Nesting =>
  n =>
    open.repeat(n) + core + close.repeat(n)
const after =
  (core: string, link: string): Nesting =>
  n =>
    core + link.repeat(n)

const NESTINGS: Record<string, Nesting> = {
  parentheses: n => `select ${around('(', '1', ')')(n)}`,
  subselects: around('select (', 'select 1', ')'),
  'subselects in FROM': around('select 1 from (', 'select 1', ') x'),
  lateral: around('select 1 from lateral (', 'select 1', ') x'),
  exists: around('select exists(', 'select 1', ')'),
  'WITH in WITH': around('with a as (', 'select 1', ') select 1'),
  'INSERT in WITH': around('with a as (insert into t ', 'select 1', ' returning 1) select 1'),
  'VALUES in VALUES': n => `values ${around('(', '(values (1))', ')')(n)}`,
  functions: n => `select ${around('f(', '1', ')')(n)}`,
  coalesce: n => `select ${around('coalesce(1, ', '1', ')')(n)}`,
  rows: n => `select ${around('row(1, ', '1', ')')(n)}`,
  arrays: n => `select array${around('[', '1', ']')(n)}`,
  subscripts: n => `select ${around('a[', '1', ']')(n)}`,
  case: n => `select ${around('case when true then ', '1', ' end')(n)}`,
  'case in ELSE': n => `select ${around('case when a then 1 else ', '1', ' end')(n)}`,
  'case of case': n => `select ${around('case ', '1', ' when 1 then 2 end')(n)}`,
  windows: n => `select ${around('count(*) over (partition by ', '1', ')')(n)}`,
  'grouping sets': n => `select 1 group by ${around('grouping sets (', 'a', ')')(n)}`,
  'joins in parentheses': n => `select 1 from ${around('(', 'a', ' cross join a)')(n)}`,
  in: n => `select ${around('1 in (', '1', ')')(n)}`,
  checks: n => `create table t (a int check ${around('(', 'true', ')')(n)})`,
  xml: n => `select ${around('xmlelement(name a, ', '1', ')')(n)}`,
  additions: after('select 1', '+1'),
  'quoted operators': after('select 1', ' operator(pg_catalog.+) 1'),
  concatenations: after("select 'a'", "||'a'"),
  casts: after('select 1', '::int'),
  collations: after("select 'a'", ' collate "C"'),
  zones: after('select now()', " at time zone 'utc'"),
  'is null': after('select 1', ' is null'),
  'between and is null': after('select 1', ' between 1 and 1 is null'),
  not: n => `select ${'not '.repeat(n)}true`,
  signs: n => `select ${'- '.repeat(n)}a`,
  'signs in a row': n => `select ${'@-'.repeat(n)}a`,
  unions: after('select 1, 2', ' union select 1, 2'),
  'unions in parentheses': n => `${'('.repeat(n)}select 1${') union select 1'.repeat(n)}`,
  joins: after('select 1 from a', ' join a on b = 1 and c = 2'),
  'joins to the right': n => `select 1 from ${'a join '.repeat(n)}a${' on true'.repeat(n)}`,
  'natural joins': after('select 1 from a', ' natural join a'),
  'labels that are words': after('select a.end', '+a.end+a.and+a.or'),
  mixed: n => `select ${around('case when ( not - ', '1', ' + 1) then 1 end')(n)}`
}

t.test('what is let through does not overflow the parser, whatever nests in it', async t => {
  for (const [name, nesting] of Object.entries(NESTINGS)) {
    let n = 1
    while (refused(nesting(Math.ceil(n * 1.1))) === undefined && n < 20_000) n = Math.ceil(n * 1.1)
    t.ok(n > 45, `${name}: at least 45, ${n}`)
    t.ok(n < 20_000, `${name}: an end, ${n}`)
    for (let times = 0; times < 3; times++) {
      try {
        parser.parse(nesting(n))
      } catch (error) {
        t.type(error, SqlSyntaxError, `${name}, ${n} times: ${(error as Error).message}`)
      }
    }
  }
})

t.test('levels full of links are bounded together', async t => {
  for (const links of [1, 8, 50, 300]) {
    const nesting = around(`(${'1+'.repeat(links)}`, '1', ')')
    let n = 1
    while (refused(`select ${nesting(n + 1)}`) === undefined) n += 1
    t.ok(n <= 200 && n * links <= 2_000, `${n} levels of ${links}`)
    parser.parse(`select ${nesting(n)}`)
  }
})

t.test('what is long and flat is let through', async t => {
  const flat = {
    'IN lists': `select 1 in (${'1,'.repeat(50_000)}1)`,
    'rows of VALUES': `insert into t values ${"(1, 'a', -1.5),".repeat(20_000)}(1, 'a', 1)`,
    'OR of conditions': `select 1 where a = 1${' or a = 1 and b = 2'.repeat(10_000)}`,
    'select lists': `select ${'a.b + 1 as c,'.repeat(1_500)}1`,
    'columns of a table': `create table t (${'a int not null default 1,'.repeat(1_500)}b int)`,
    'a long string': `select '${'x'.repeat(1_000_000)}'`,
    'quotes in a string': `select '${"it''s ".repeat(50_000)}', "${'a""b'.repeat(50)}"`,
    'brackets in a string': `select '${'('.repeat(5_000)}', $$${'('.repeat(5_000)}$$`,
    'brackets in a comment': `select 1 /* ${'('.repeat(5_000)} */ -- ${'('.repeat(5_000)}`,
    rulers: `/${'*'.repeat(500)}/ select 1 --${'-'.repeat(500)}`,
    'rows of several columns': `update t set (a, b) = (select c, d from u where t.id = u.id)`
  }
  for (const [name, sql] of Object.entries(flat)) t.equal(refused(sql), undefined, name)
})

t.test('quotes hide brackets as PostgreSQL has them, and no others', async t => {
  const deep = '('.repeat(300)
  const hidden = [
    `select '${deep}'`,
    `select 'it''s ${deep}'`,
    `select E'\\'${deep}'`,
    `select e'\\\\' || '${deep}'`,
    `select "${deep}"`,
    `select $a$ $$ $b$ ${deep} $a$`,
    `select U&'\\' || '${deep}'`,
    `select 1 /* /* */ ${deep} */`,
    `select 1 -- ${deep}`
  ]
  for (const sql of hidden) t.equal(refused(sql), undefined, sql.slice(0, 30))
  const open = [
    `select '' ${deep}`,
    `select '\\' ${deep}`,
    `select nope'\\' ${deep}`,
    `select E'\\\\' ${deep}`,
    `select a$b$ ${deep} $b$`,
    `select $1$ ${deep}`,
    `select 1 -- x\r${deep}`,
    `select 1 /* */ ${deep} */`,
    `select """" ${deep}`
  ]
  for (const sql of open) t.match(refused(sql), /nested too deeply/, sql.slice(0, 30))
})

t.test('texts that take the parser more than linear time are refused', async t => {
  const slow = {
    'comments in comments': `select ${'/*'.repeat(1_000)}${'*/'.repeat(1_000)}1`,
    'comments side by side': `select ${'/**/'.repeat(1_000)}1`,
    'a comment that opens at each star': `select /${'*/'.repeat(1_000)}`,
    signs: `select ${'+'.repeat(1_000)}1`,
    'signs in turn': `select ${'+-'.repeat(1_000)}1`,
    'columns that share a row': `update t set (${'a,'.repeat(2_000)}a) = (${'a,'.repeat(2_000)}a)`,
    'columns that share a query': `update t set b=1, (${'a,'.repeat(20_000)}a) = (select ${'1,'.repeat(99)}1)`,
    parts: `select ${'1,'.repeat(500_000)}1`
  }
  for (const [name, sql] of Object.entries(slow)) t.match(refused(sql), /./, name)
})

t.test('reading a text takes linear time', async t => {
  const texts = ['((', '/* ', "''", '""', '$a$', '-- ', "E'\\", 'case ', ')', '1.', '.a', '=', '$']
  for (const part of texts) {
    const beganMs = performance.now()
    refused(part.repeat(1_200_000 / part.length))
    t.ok(performance.now() - beganMs < 2_000, part)
  }
})
