/**
 * Random SQL for a value of a type: null, zero, the extremes, nonsense, and now and then
 * something large. Pure: the dice decide.
 */
import type { Dice } from '../simulator/random.ts'

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
const INTEGERS: Readonly<Record<string, readonly string[]>> = {
  smallint: ['0', '1', '-1', '7', '32767', '-32768'],
  integer: ['0', '1', '-1', '7', '1000', '2147483647', '-2147483648', '1073741820'],
  bigint: ['0', '1', '-1', '100000', '9223372036854775807', '-9223372036854775808'],
  oid: ['0', '1', '1259', '4294967295']
}
const FLOATS = ['0', '-0', '1', '0.5', '1e308', '-1e-308', 'NaN', 'Infinity', '-Infinity', '1e400']
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
  const integers = INTEGERS[type]
  if (integers !== undefined && dice.chance(0.9)) {
    return `${quoted(dice.pick(integers) ?? '0')}::${type}`
  }
  if (/^(real|double precision|numeric|money)$/.test(type) && dice.chance(0.9)) {
    return `${quoted(dice.pick(FLOATS) ?? '0')}::${type}`
  }
  if (type.endsWith('[]') && dice.chance(0.7)) {
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
