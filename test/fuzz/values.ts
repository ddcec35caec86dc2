/**
 * Random SQL for a value of a type: null, zero, the extremes, nonsense, and now and then
 * something large. Pure: the dice decide.
 */
import type { Dice } from '../../testing/random.ts'

const LARGE_CHANCE = 0.02

/** Texts that some type reads; the others refuse them, which is a case as well. */
const TEXTS = [
  ...[
    '',
    '0',
    '1',
    '-1',
    'a',
    'A b',
    "it''s",
    '%1000s',
    '{}',
    '[]',
    '{a,b}',
    '{"a": [1, 2, null]}'
  ],
  ...['now', 'infinity', '-infinity', 'NaN', '2000-01-01', '294276-12-31', '4713-01-01 BC'],
  ...['\\x', '\\x00ff', '(1,2)', '((0,0),(1,1))', '[1,5)', 'empty', '<a>1</a>', 'a & b', 'ä€😀'],
  ...['127.0.0.1/8', '08:00:2b:01:02:03', '$.a[*]', '(?=.*a)(a*)*b', 'pg_class', 'public', 'UTF8'],
  ...[
    '00000000-0000-0000-0000-000000000000',
    'YYYY-MM-DD HH24:MI:SS.US',
    '1 day',
    '101',
    '-0',
    '1e308'
  ]
]
const LARGE_TEXTS = [
  "repeat('a', 3000000)",
  "repeat('ab ', 500000)",
  "repeat('1', 100000)",
  "(select string_agg(g::text, ' ') from generate_series(1, 200000) g)"
]
/** Texts that the type reads, its extremes among them. */
const VALID: Readonly<Record<string, readonly string[]>> = {
  smallint: ['0', '1', '-1', '7', '32767', '-32768'],
  integer: ['0', '1', '-1', '7', '1000', '2147483647', '-2147483648', '1073741820'],
  bigint: ['0', '1', '-1', '100000', '9223372036854775807', '-9223372036854775808'],
  oid: ['0', '1', '1259', '2200', '4294967295'],
  real: ['0', '-0', '1.5', '3e38', '-1e-38', 'NaN', 'Infinity', '-Infinity'],
  'double precision': ['0', '-0', '0.5', '1e308', '-1e-308', 'NaN', 'Infinity', '-Infinity'],
  numeric: [
    '0',
    '1',
    '-0.5',
    '1e1000',
    '1e-1000',
    'NaN',
    'Infinity',
    '-Infinity',
    '99999999999999'
  ],
  money: ['0', '1.50', '-92233720368547758.08'],
  '"char"': ['a', '', '\\200'],
  name: ['', 'public', 'pg_class', 'a b'],
  bytea: ['\\x', '\\x00ff', '\\xdeadbeef', 'abc'],
  date: ['2000-01-01', '4713-01-01 BC', '5874897-12-31', 'infinity', '-infinity', 'today'],
  'time without time zone': ['00:00', '24:00', '23:59:59.999999', '12:00'],
  'time with time zone': ['00:00+15:59', '24:00-15:59', '12:00Z'],
  'timestamp without time zone': [
    '2000-01-01',
    '4713-01-01 BC',
    '294276-12-31 23:59:59',
    'infinity'
  ],
  'timestamp with time zone': ['now', '2000-01-01Z', '294276-12-31', '-infinity', '4714-11-24 BC'],
  interval: ['0', '1 day', '-178000000 years', '1 mon -1 day', '178000000 years', '0.000001 s'],
  json: ['null', '1', '{"a": [1, 2, null]}', '[]', '"x"', '{"a":1,"a":2}'],
  jsonb: ['null', '1', '{"a": [1, 2, null]}', '[]', '"x"', '{"a":1e400}'],
  jsonpath: ['$', '$.a[*]', '$.** ? (@ > 1)', '$.a.datetime()', 'strict $.a'],
  xml: ['<a>1</a>', '', 'text', '<a b="c"/>'],
  uuid: ['00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff'],
  inet: ['127.0.0.1', '0.0.0.0/0', '::/0', 'ffff::1/128', '10.1.2.3/8'],
  cidr: ['10.0.0.0/8', '::/0', '0.0.0.0/0'],
  macaddr: ['08:00:2b:01:02:03', 'ff:ff:ff:ff:ff:ff'],
  macaddr8: ['08:00:2b:01:02:03:04:05'],
  bit: ['0', '1'],
  'bit varying': ['', '0', '101', '1111111111111111111111111111111111111111'],
  tsvector: ['', 'a:1 b:2', "a:1A,2B 'b c':3"],
  tsquery: ['', 'a & b', 'a & (b & c)', '!a <-> b', 'a:*'],
  point: ['(0,0)', '(1e308,-1e308)', '(NaN,1)', '(Infinity,0)'],
  lseg: ['[(0,0),(1,1)]', '[(0,0),(0,0)]'],
  line: ['{1,-1,0}', '{0,1,5}'],
  box: ['(1,1),(0,0)', '(1e308,1e308),(-1e308,-1e308)'],
  path: ['[(0,0),(1,1),(2,0)]', '((0,0),(1,1))'],
  polygon: ['((0,0),(1,1),(2,0))', '((0,0))'],
  circle: ['<(0,0),1>', '<(1,1),0>', '<(0,0),1e308>'],
  pg_lsn: ['0/0', 'FFFFFFFF/FFFFFFFF', '16/B374D848'],
  int4range: ['empty', '[1,5)', '(,)', '[2147483646,2147483647)', '(,0]'],
  int8range: ['empty', '[1,5)', '(,)'],
  numrange: ['empty', '[1.5,NaN]', '(,)'],
  daterange: ['empty', '[2000-01-01,2001-01-01)', '(,infinity)'],
  tsrange: ['empty', '[2000-01-01,infinity)'],
  tstzrange: ['empty', '[2000-01-01Z,)'],
  int4multirange: ['{}', '{[1,5),[7,9)}', '{(,)}'],
  int8multirange: ['{}', '{[1,5)}'],
  nummultirange: ['{}', '{[1.5,2.5]}'],
  regclass: ['pg_class', 'fuzz_rows', '-'],
  regtype: ['int4', 'text[]'],
  regproc: ['now', 'pg_typeof'],
  regprocedure: ['abs(int4)', 'now()'],
  regoper: ['||/'],
  regoperator: ['+(int4,int4)'],
  regnamespace: ['public', 'pg_catalog'],
  regrole: ['convoy_app'],
  regconfig: ['simple', 'english'],
  regdictionary: ['simple'],
  regcollation: ['"C"'],
  xid: ['0', '1', '4294967295'],
  xid8: ['0', '1', '18446744073709551615'],
  cid: ['0', '1'],
  tid: ['(0,0)', '(0,1)', '(4294967295,65535)'],
  pg_snapshot: ['1:1:', '10:20:10,14,15'],
  txid_snapshot: ['1:1:', '10:20:10,14,15'],
  refcursor: ['c', ''],
  aclitem: ['=r/convoy']
}
/** The others read a text of another type, to see that they refuse it. */
const NONSENSE_CHANCE = 0.07
const SERIES = 'generate_series(1, 100000) g'
/** Where any type will do. */
const CONCRETE = [
  ...['integer', 'bigint', 'text', 'numeric', 'boolean', 'timestamp with time zone', 'jsonb'],
  ...['double precision', 'bytea', 'date', 'interval', 'inet', 'uuid', 'point', 'bit varying']
]

/** A pseudo type's stand-in; the same one for all of a call's arguments, as `any` of them asks. */
export const stand = (type: string, element: string): string => {
  if (/^any(compatible)?array$/.test(type)) return `${element}[]`
  if (/^any(compatible)?(element|nonarray)$|^"?any"?$/.test(type)) return element
  if (/^any(compatible)?range$/.test(type)) return 'int4range'
  if (/^any(compatible)?multirange$/.test(type)) return 'int4multirange'
  return type
}

export const anyType = (dice: Dice): string => dice.pick(CONCRETE) ?? 'integer'

export const quoted = (text: string): string => `'${text}'`

/** An expression of the type, or one that fails to become one. */
export function randomValue(type: string, dice: Dice): string {
  if (type === 'record') return dice.pick(["row('5')", 'row(1, null)', 'row()', 'row(now())']) ?? ''
  if (type === 'void' || type === 'cstring') return `${quoted(dice.pick(TEXTS) ?? '')}::cstring`
  if (dice.chance(0.08)) return `null::${type}`
  if (dice.chance(LARGE_CHANCE)) return large(type, dice)
  if (type === 'boolean') return dice.pick(['true', 'false']) ?? 'true'
  const valid = VALID[type]
  if (valid !== undefined && !dice.chance(NONSENSE_CHANCE)) {
    return `${quoted((dice.pick(valid) ?? '0').replaceAll("'", "''"))}::${type}`
  }
  if (type.endsWith('[]') && dice.chance(0.95)) {
    const element = type.slice(0, -2)
    const count = dice.between(0, 3)
    const items = Array.from({ length: count }, () => randomValue(element, dice))
    return `array[${items.join(', ')}]::${type}`
  }
  return `${quoted(dice.pick(TEXTS) ?? '')}::${type}`
}

function large(type: string, dice: Dice): string {
  const text = dice.pick(LARGE_TEXTS) ?? "''"
  if (type === 'jsonb' || type === 'json') {
    return `(select ${type}_agg(g) from ${SERIES})`
  }
  if (type === 'bytea') return `convert_to(${text}, 'UTF8')`
  if (type === 'text[]') return `string_to_array(${text}, ' ')`
  if (type.endsWith('[]'))
    return `(select array_agg(${randomValue(type.slice(0, -2), dice)}) from ${SERIES})`
  if (type === 'tsvector') return `to_tsvector('simple', ${text})`
  if (type === 'path') return `(select path(polygon(20000, circle '((0,0),1)')))`
  return `(${text})::${type}`
}
