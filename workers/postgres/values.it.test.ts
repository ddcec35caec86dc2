import t from 'tap'
import {
  command,
  ddl,
  readOf,
  resultOf,
  rowsOf,
  startPair
} from '../../testing/fixtures/postgres.ts'

/** Of each type some values, as PostgreSQL prints them, and their JSON form where it is no string. */
const TYPES: readonly (readonly [
  type: string,
  values: readonly (string | readonly [string, unknown])[]
])[] = [
  [
    'bool',
    [
      ['t', true],
      ['f', false]
    ]
  ],
  ['int2', [['-32768', -32768]]],
  ['int4', [['2147483647', 2147483647]]],
  ['oid', [['4294967295', 4294967295]]],
  ['int8', ['9223372036854775807', '-9223372036854775808']],
  ['numeric', ['1.10', 'NaN', 'Infinity', '123456789012345678901234567890.000000001']],
  ['numeric(10,2)', ['12345678.90']],
  [
    'float4',
    [
      ['1.5', 1.5],
      ['NaN', 'NaN'],
      ['-Infinity', '-Infinity'],
      ['1e-45', 1e-45]
    ]
  ],
  [
    'float8',
    [
      ['-0', -0],
      ['5e-324', 5e-324],
      ['1.7976931348623157e+308', Number.MAX_VALUE],
      ['Infinity', 'Infinity']
    ]
  ],
  ['money', ['-$1,234.56']],
  ['text', ['', 'a "quoted" \\ text, (with) {all}', 'two\nlines\ttab', 'NULL', ' ', '🚲 नमस्ते']],
  ['varchar(20)', ['abc ']],
  ['char(5)', ['ab   ']],
  ['"char"', ['x']],
  ['name', ['some_name']],
  ['bytea', ['\\x', '\\x00ff10']],
  ['date', ['0044-03-15 BC', 'infinity', '2024-02-29']],
  ['time', ['24:00:00', '12:34:56.123456']],
  ['timetz', ['12:34:56.123456+05:30']],
  ['timestamp', ['-infinity', '2024-02-29 12:34:56.123456', '0001-01-01 00:00:00 BC']],
  ['timestamptz', ['2024-02-29 12:34:56.123456+00', 'infinity']],
  ['interval', ['1 year 2 mons -3 days +04:05:06.000007']],
  ['uuid', ['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11']],
  ['json', [['{ "b" : 1,\n "a" : [1.0, null] , "a": "2" }', { b: 1, a: '2' }]]],
  [
    'jsonb',
    [
      ['{"a": 1.50}', { a: 1.5 }],
      ['null', null],
      ['"text"', 'text']
    ]
  ],
  ['jsonpath', ['$."a"[*]']],
  ['xml', ['<a>b &amp; c</a>']],
  ['inet', ['192.168.0.1/24']],
  ['cidr', ['10.0.0.0/8']],
  ['macaddr', ['08:00:2b:01:02:03']],
  ['macaddr8', ['08:00:2b:01:02:03:04:05']],
  ['bit(4)', ['1010']],
  ['varbit', ['10101', '']],
  ['point', ['(1.5,-2)']],
  ['line', ['{1,2,3}']],
  ['lseg', ['[(0,0),(1,1)]']],
  ['box', ['(1,1),(0,0)']],
  ['path', ['((0,0),(1,1))']],
  ['polygon', ['((0,0),(1,1),(2,0))']],
  ['circle', ['<(0,0),5>']],
  ['tsvector', ["'a':1 'b c':2"]],
  ['tsquery', ["'a' & 'b'"]],
  ['int4range', ['[1,10)', 'empty']],
  ['numrange', ['(1.5,)']],
  ['tstzrange', ['["2024-01-01 00:00:00+00",)']],
  ['int4multirange', ['{[1,3),[5,7)}']],
  ['pg_lsn', ['16/B374D848']],
  ['int4[]', ['{1,NULL,3}', '{}', '[0:1]={1,2}', '{{1,2},{3,4}}']],
  ['text[]', ['{"a b",NULL,"NULL","",\\"q\\"}'.replace('\\"q\\"', '"\\"q\\""')]],
  ['mood', ['sad', 'very happy']],
  ['place', ['("1 Main St","(1,2)")', '(,)']],
  ['positive', ['5']]
]

t.test('every type is written, read, updated and deleted alike on master and replica', async t => {
  const { master, replica, run, differing } = await startPair(t)
  await run(
    ddl("create type mood as enum ('sad', 'very happy')"),
    ddl('create type spot as (x int, y int)'),
    ddl('create type place as (street text, at spot)'),
    ddl('create domain positive as numeric check (value > 0)')
  )
  for (const [i, [type]] of TYPES.entries()) {
    await run(ddl(`create table v${i} (id int primary key, v ${type}, twin ${type})`))
  }
  for (const [i, [type, values]] of TYPES.entries()) {
    for (const [id, value] of [...values, [null, null] as const].entries()) {
      const [text, form] = typeof value === 'string' ? [value, value] : value
      const sql = `insert into v${i} values ($1, $2, $2) returning v`
      const [entry] = await run(command([{ sql, params: [id, text] }]))
      t.strictSame(resultOf(entry), [{ rowCount: 1, rows: [{ v: form }] }], `${type} ${text}`)
      const read = `select v from v${i} where id = $1`
      const there = await readOf(replica.store, read, [id])
      t.strictSame(there.body.rows, [{ v: form }], `${type} ${text} on the replica`)
    }
  }
  t.strictSame(await differing(), [])
  for (const i of TYPES.keys()) {
    await run(
      command([`update v${i} set twin = null where id = 0`, `delete from v${i} where id > 0`])
    )
  }
  t.strictSame(await differing(), [])
  t.strictSame(await rowsOf(master.store, 'select count(*) from v5'), [{ count: '1' }])
})

t.test('every type that can be one is a key', async t => {
  const { run, differing } = await startPair(t)
  await run(ddl("create type mood as enum ('sad', 'very happy')"))
  const keys = TYPES.filter(
    ([type]) =>
      !/^(json|jsonpath|xml|point|line|lseg|box|path|polygon|circle|place|positive)$/.test(type)
  )
  for (const [i, [type, values]] of keys.entries()) {
    await run(ddl(`create table k${i} (k ${type}, n int, primary key (n, k))`))
    for (const value of values) {
      const params = [typeof value === 'string' ? value : value[0]]
      await run(command([{ sql: `insert into k${i} values ($1, 1)`, params }]))
      await run(command([{ sql: `update k${i} set n = 2 where k = $1`, params }]))
      await run(command([{ sql: `insert into k${i} values ($1, 1)`, params }]))
      await run(command([{ sql: `delete from k${i} where n = 1 and k = $1`, params }]))
    }
  }
  t.strictSame(await differing(), [])
})

t.test('parameters: arrays are array literals, objects JSON', async t => {
  const { run } = await startPair(t)
  await run(ddl('create table p (id int primary key, a int[], b text[], j jsonb, f bool)'))
  const params = [1, [1, null, [2].length], ['a"b', 'c,d', null], { x: [1, 'y'] }, true]
  const [entry] = await run(
    command([{ sql: 'insert into p values ($1, $2, $3, $4, $5) returning *', params }])
  )
  t.strictSame(resultOf(entry)[0].rows, [
    { id: 1, a: '{1,NULL,1}', b: '{"a\\"b","c,d",NULL}', j: { x: [1, 'y'] }, f: true }
  ])
})

t.test('a column name that stands twice keeps both values', async t => {
  const { master } = await startPair(t)
  const { body } = await readOf(master.store, 'select 1 as a, 2 as a, 3 as a_2')
  t.strictSame(body.rows, [{ a: 1, a_2: 2, a_2_2: 3 }])
  t.strictSame(
    body.fields.map(field => field.name),
    ['a', 'a_2', 'a_2_2']
  )
})
