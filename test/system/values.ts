/**
 * Values of every type that docs/values.md lists, as PostgreSQL prints them (so that
 * what comes back can be compared with what was given, character by character), and
 * their JSON form where that is no string.
 */

export interface TypeValues {
  readonly type: string
  readonly texts: readonly string[]
  /** From a value's text; a string when left out. */
  readonly json?: (text: string) => unknown
}

const number = (text: string): unknown => (/^-?\d/.test(text) ? Number(text) : text)
const boolean = (text: string): unknown => text === 't'
const json = (text: string): unknown => JSON.parse(text)

/** What the types below that are not built in need first. */
export const OWN_TYPES = [
  "create type mood as enum ('sad', 'ok', 'very happy')",
  'create type address as (street text, "number" int)'
]

export const TYPES: readonly TypeValues[] = [
  { type: 'boolean', texts: ['t', 'f'], json: boolean },
  { type: 'smallint', texts: ['-32768', '32767'], json: number },
  { type: 'integer', texts: ['-2147483648', '2147483647'], json: number },
  { type: 'oid', texts: ['0', '4294967295'], json: number },
  { type: 'bigint', texts: ['-9223372036854775808', '9223372036854775807'] },
  { type: 'numeric', texts: ['NaN', '-0.000000000000000000001', `${'9'.repeat(200)}.10`] },
  { type: 'numeric(8,3)', texts: ['12345.600', '-0.001'] },
  { type: 'real', texts: ['1.1', '-0', 'NaN', 'Infinity', '1e-45'], json: number },
  {
    type: 'double precision',
    texts: ['0.1', '-0', '1.7976931348623157e+308', '5e-324', 'NaN', '-Infinity'],
    json: number
  },
  { type: 'money', texts: ['$1,234.56', '-$0.01'] },
  { type: 'text', texts: ['', ' ', 'NULL', 'a "b" \\ \'c\' {d,e} (f,g)', '१ 漢字 🚗\n\t$1'] },
  { type: 'varchar(7)', texts: ['', 'seven c'] },
  { type: 'char(4)', texts: ['ab  ', 'abcd'] },
  { type: '"char"', texts: ['x'] },
  { type: 'name', texts: ['a_name'] },
  { type: 'bytea', texts: ['\\x', '\\x00ff5c27', `\\x${'00'.repeat(1_000)}`] },
  { type: 'date', texts: ['2024-02-29', '0044-03-15 BC', 'infinity'] },
  { type: 'time', texts: ['00:00:00', '23:59:59.999999', '24:00:00'] },
  { type: 'timetz', texts: ['12:34:56.000001-11:30'] },
  {
    type: 'timestamp',
    texts: ['2024-02-29 23:59:59.999999', '0001-01-01 00:00:00 BC', '-infinity']
  },
  { type: 'timestamptz', texts: ['1970-01-01 00:00:00+00', '2262-04-11 23:47:16.854775+00'] },
  { type: 'interval', texts: ['00:00:00', '1 year 2 mons -3 days +04:05:06.000007'] },
  { type: 'uuid', texts: ['00000000-0000-0000-0000-000000000000'] },
  { type: 'json', texts: ['{ "b": [1.10, null],\n "a": "ü" }', '1e2', 'null'], json },
  { type: 'jsonb', texts: ['{"a": [1.10, null], "b": {}}', '"text"', '123', 'null'], json },
  { type: 'jsonpath', texts: ['$."a"[*]?(@ > 1)'] },
  { type: 'xml', texts: ['<a b="c">&amp;</a>'] },
  { type: 'inet', texts: ['10.1.2.3', '10.1.2.3/8', '2001:db8::1/64'] },
  { type: 'cidr', texts: ['10.0.0.0/8', '2001:db8::/32'] },
  { type: 'macaddr', texts: ['08:00:2b:01:02:03'] },
  { type: 'macaddr8', texts: ['08:00:2b:01:02:03:04:05'] },
  { type: 'bit(3)', texts: ['101'] },
  { type: 'varbit', texts: ['', '0101010101010101010101'] },
  { type: 'point', texts: ['(1.5,-2)'] },
  { type: 'line', texts: ['{1,-2.5,3}'] },
  { type: 'lseg', texts: ['[(0,0),(1,1)]'] },
  { type: 'box', texts: ['(3,4),(1,2)'] },
  { type: 'path', texts: ['((0,0),(1,1),(2,0))', '[(0,0),(1,1)]'] },
  { type: 'polygon', texts: ['((0,0),(1,1),(2,0))'] },
  { type: 'circle', texts: ['<(1,2),3.5>'] },
  { type: 'tsvector', texts: ["'fat':2 'rat':3A", "'a b'"] },
  { type: 'tsquery', texts: ["'fat' & !( 'cat' | 'dog':* )"] },
  { type: 'pg_lsn', texts: ['16/B374D848'] },
  { type: 'pg_snapshot', texts: ['10:20:10,14,15'] },
  { type: 'int4range', texts: ['[1,10)', 'empty', '(,5)'] },
  { type: 'numrange', texts: ['(1.50,2.5]'] },
  { type: 'tstzrange', texts: ['["2024-01-01 00:00:00+00",)'] },
  { type: 'int4multirange', texts: ['{}', '{[1,3),[5,7)}'] },
  { type: 'mood', texts: ['sad', 'very happy'] },
  { type: 'address', texts: ['("Main St",5)', '("a ""b"", c",)', '(,)'] },
  { type: 'integer[]', texts: ['{}', '{1,NULL,-3}', '[0:1]={1,2}', '{{1,2},{3,4}}'] },
  { type: 'text[]', texts: ['{"",NULL,"NULL","a,b","\\"\\\\"}'] },
  { type: 'timestamptz[]', texts: ['{"2024-02-29 23:59:59.999999+00",NULL}'] },
  { type: 'jsonb[]', texts: ['{"{\\"a\\": 1}","null"}'] },
  { type: 'mood[]', texts: ['{sad,"very happy"}'] },
  { type: 'address[]', texts: ['{"(\\"Main St\\",5)"}'] }
]
