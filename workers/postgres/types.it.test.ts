/**
 * The proof of the list of types (convoy.type_fault): extreme and random values of every
 * type on it, and of arrays, domains, composites and ranges of them, are captured by a
 * real master and applied by a real replica. Their texts and their binary forms are the
 * same on both. A value that its text does not give back may be refused, and nothing else.
 */
import fc from 'fast-check'
import t from 'tap'
import {
  below,
  command,
  ddl,
  type Pair,
  resultOf,
  startPair
} from '../../testing/fixtures/postgres.ts'

const SEED = 12
const VALUES = 60

const quote = (text: string) => `'${text.replaceAll("'", "''")}'`
const texts = fc.string({ unit: 'grapheme', maxLength: 12 }).map(text => text.replaceAll('\0', ''))
const hex = (bytes: number) =>
  fc.uint8Array({ minLength: bytes, maxLength: bytes }).map(a => Buffer.from(a).toString('hex'))
const oneOf = (...values: string[]) => fc.constantFrom(...values)
const whole = (bits: number) => fc.bigInt(-(2n ** BigInt(bits - 1)), 2n ** BigInt(bits - 1) - 1n)
const float = fc.double().map(n => String(n).replace('Infinity', 'infinity'))
const pointOf = fc.tuple(float, float).map(([x, y]) => `(${x},${y})`)
const pad = (n: number, width: number) => String(n).padStart(width, '0')
const clock = fc
  .tuple(fc.nat(23), fc.nat(59), fc.nat(59), fc.nat(999_999))
  .map(([h, m, s, us]) => `${pad(h, 2)}:${pad(m, 2)}:${pad(s, 2)}.${pad(us, 6)}`)
const day = fc
  .tuple(
    fc.integer({ min: 1, max: 294_000 }),
    fc.integer({ min: 1, max: 12 }),
    fc.integer({ min: 1, max: 28 })
  )
  .map(([y, m, d]) => `${pad(y, 4)}-${pad(m, 2)}-${pad(d, 2)}`)
const early = fc.integer({ min: 1, max: 4_712 }).map(y => `${pad(y, 4)}-02-28`)
const instant = fc.oneof(
  fc.tuple(day, clock).map(([d, c]) => `${d} ${c}`),
  fc.tuple(early, clock).map(([d, c]) => `${d} ${c} BC`),
  oneOf('infinity', '-infinity', '4714-11-24 00:00:00 BC', '294276-12-31 23:59:59.999999')
)
const number = fc
  .tuple(fc.boolean(), fc.bigInt(0n, 10n ** 60n), fc.nat(40))
  .map(([sign, n, scale]) => `${sign ? '-' : ''}${n}${scale === 0 ? '' : `.${pad(scale, scale)}`}`)
const document = fc.json({ depthSize: 'small', maxDepth: 4 }).map(j => j.replaceAll('\\u0000', '0'))
const word = fc.stringMatching(/^[a-z]{1,6}$/)

/** SQL expressions of each type on the list; what text gives as well as what functions make. */
const TYPES: Readonly<Record<string, fc.Arbitrary<string>>> = {
  bool: oneOf('true', 'false'),
  int2: whole(16).map(String).map(quote),
  int4: whole(32).map(String).map(quote),
  int8: whole(64).map(String).map(quote),
  oid: fc.nat(4_294_967_295).map(String).map(quote),
  numeric: fc
    .oneof(number, oneOf('NaN', 'Infinity', '-Infinity', '1e131071', '1e-16383', '-0.000'))
    .map(quote),
  'numeric(12,5)': fc.integer({ min: -9_999_999, max: 9_999_999 }).map(n => quote(`${n}.12345`)),
  float4: fc
    .oneof(
      fc.float().map(n => String(n).replace('Infinity', 'infinity')),
      oneOf('-0', '1e-45', '3.4028235e38')
    )
    .map(quote),
  float8: fc.oneof(float, oneOf('-0', '5e-324', '1.7976931348623157e308', 'NaN')).map(quote),
  money: whole(64).map(n => quote(`${n / 100n}.${pad(Number((n < 0n ? -n : n) % 100n), 2)}`)),
  text: fc
    .oneof(texts, oneOf('', ' ', 'NULL', '"', '\\', '{}', '(,)', "'", '\r\n', '\u2028', '\ufeff'))
    .map(quote),
  'varchar(20)': texts.map(text => quote(text.slice(0, 5))),
  'char(9)': fc.oneof(word, oneOf('', ' ', '   x', 'x   ')).map(quote),
  '"char"': fc.integer({ min: -128, max: 127 }).map(n => `(${n})::"char"`),
  name: word.map(quote),
  bytea: fc
    .nat(20)
    .chain(hex)
    .map(h => quote(`\\x${h}`)),
  date: fc
    .oneof(
      day,
      early.map(d => `${d} BC`),
      oneOf('infinity', '-infinity', '4714-11-24 BC', '5874897-12-31')
    )
    .map(quote),
  time: fc.oneof(clock, oneOf('24:00:00', '00:00:00')).map(quote),
  timetz: fc.oneof(
    fc
      .tuple(clock, oneOf('+15:59:59', '-15:59:59', '+00', '-00:00:01', '+05:30'))
      .map(([c, z]) => quote(c + z)),
    fc
      .integer({ min: -2_000, max: 2_000 })
      .map(h => `(timetz '12:00+00' at time zone interval '${h} hours')`)
  ),
  timestamp: instant.map(quote),
  timestamptz: instant.map(text =>
    /infinity/.test(text) ? quote(text) : quote(text.replace(/( BC)?$/, '+00$1'))
  ),
  interval: fc.oneof(
    fc
      .tuple(fc.integer({ min: -178_000_000 * 12, max: 178_000_000 * 12 }), whole(32), whole(62))
      .map(([m, d, us]) => quote(`${m} months ${d} days ${us} microseconds`)),
    oneOf(
      '-9223372036854775808 microseconds',
      '9223372036854775807 microseconds',
      '-1 mon +1 day -00:00:00.000001'
    ).map(quote)
  ),
  uuid: hex(16).map(quote),
  json: fc
    .oneof(document, oneOf(' {"a" : 1, "a": 2 } ', '[1e400, -0, 1.0]', '"\\ud83d\\ude00"'))
    .map(quote),
  jsonb: fc.oneof(document, oneOf('1e131071', '[1.00, -0, 1e-3]', '{"": {"a": []}}')).map(quote),
  jsonpath: oneOf(
    '$',
    'lax $."a b"[*] ? (@.x > 1 && @.y like_regex "^a" flag "iq")',
    'strict $[last - 1 to last]',
    '$.a.double() + -$."é"',
    '(1 + $x) * 2'
  ).map(quote),
  xml: fc.oneof(
    texts.map(text => `xmlelement(name a, xmlattributes(${quote(text)} as b))`),
    oneOf(
      "xmlcomment('x')",
      "'<a/>text<b>&amp;</b>'",
      "xmlroot('<a/>', version '9.9')",
      `xmlroot('<a/>', version 'x"y')`,
      "xmlpi(name p, 'q')"
    )
  ),
  inet: fc
    .oneof(fc.ipV4(), fc.ipV6(), oneOf('0.0.0.0/0', '::/0', '::ffff:1.2.3.4/97', '10.1.2.3/8'))
    .map(quote),
  cidr: oneOf('0.0.0.0/0', '10.0.0.0/8', '2001:db8::/32', '::1/128').map(quote),
  macaddr: hex(6).map(quote),
  macaddr8: hex(8).map(quote),
  'bit(7)': fc.nat(127).map(n => `B'${pad(Number(n.toString(2)), 7)}'`),
  varbit: fc.stringMatching(/^[01]{0,80}$/).map(bits => `B'${bits}'`),
  point: pointOf.map(quote),
  line: fc.oneof(
    oneOf('{1,2,3}', '{NaN,-1,0}', '{0,1e300,-0}').map(quote),
    fc
      .tuple(fc.integer(), fc.integer(), fc.integer({ min: 1 }))
      .map(([x, y, d]) => `line(point(${x}, ${y}), point(${x} + ${d} / 3.0, ${y} / 7.0))`)
  ),
  lseg: fc.tuple(pointOf, pointOf).map(([a, b]) => quote(`[${a},${b}]`)),
  box: fc.tuple(pointOf, pointOf).map(([a, b]) => quote(`${a},${b}`)),
  path: fc
    .tuple(fc.array(pointOf, { minLength: 1, maxLength: 5 }), fc.boolean())
    .map(([p, open]) => quote(open ? `[${p}]` : `(${p})`)),
  polygon: fc.array(pointOf, { minLength: 1, maxLength: 5 }).map(p => quote(`(${p})`)),
  circle: fc
    .tuple(pointOf, fc.double({ min: -10, max: 1e300, noNaN: true }))
    .map(([p, r]) => `circle(point ${quote(p)}, ${quote(String(r))})`),
  tsvector: fc.oneof(
    texts.map(text => `to_tsvector('simple', ${quote(text)})`),
    fc
      .array(
        texts.filter(text => text !== ''),
        { maxLength: 4 }
      )
      .map(a => `array_to_tsvector(array[${a.map(quote)}]::text[])`),
    oneOf("setweight('a:1,16383 b'::tsvector, 'D')", "'''a'' ''b\\\\c'''::tsvector")
  ),
  tsquery: fc.oneof(
    fc
      .tuple(word, word, word, oneOf('&', '|', '<->', '<16384>'), oneOf('&', '|', '<2>'))
      .map(([a, b, c, x, y]) => quote(`${a} ${x} (!${b}:*AB ${y} ${c})`)),
    fc
      .tuple(word, word)
      .map(([a, b]) => `(${quote(a)}::tsquery && !!(${quote(b)}::tsquery || 'x'))`),
    oneOf("''", "plainto_tsquery('simple', 'a b c')")
  ),
  pg_lsn: oneOf('0/0', 'FFFFFFFF/FFFFFFFF', '16/B374D848').map(quote),
  pg_snapshot: oneOf('10:20:10,14,15', '1:1:').map(quote),
  int4range: oneOf('empty', '(,)', '[-2147483648,2147483647)', '[1,1]').map(quote),
  numrange: fc
    .tuple(number, oneOf('[', '('), oneOf(']', ')'))
    .map(([n, l, u]) => quote(`${l}${n},${u}`)),
  tstzrange: instant.filter(i => !/BC|inf/.test(i)).map(i => quote(`[${i}+00,)`)),
  nummultirange: oneOf('{}', '{[1.50,2),(3,)}', '{(,)}').map(quote),
  hue: oneOf('red', 'a "b"', 'c,d', '(e)').map(quote),
  named: fc
    .tuple(texts, fc.option(texts))
    .map(
      ([a, b]) =>
        `row(${quote(a)}, ${b === null ? 'null' : quote(b)}, row(null, null)::pair)::named`
    ),
  pair: oneOf('row(null, null)::pair', "row(1, 'NaN')::pair", 'row(null, -0)::pair'),
  worded: fc.oneof(texts.map(quote), fc.constant("''")),
  textrange: fc
    .tuple(texts, texts)
    .map(
      ([a, b]) =>
        `case when ${quote(a)}::text collate "C" < ${quote(b)} then textrange(${quote(a)}, ${quote(b)}) else 'empty' end`
    )
}

const OWN = [
  `create type hue as enum ('red', 'a "b"', 'c,d', '(e)')`,
  'create type pair as (a int, b numeric)',
  'create type named as (a text, b varchar, c pair)',
  'create domain worded as text check (length(value) < 1000)',
  'create type textrange as range (subtype = text, collation = "C")'
]

/** Rows with the value itself, in arrays of one and two dimensions, in a composite and in its array. */
async function exchange(pair: Pair, at: number, type: string, values: readonly string[]) {
  const { run } = pair
  await run(
    ddl(`create type held${at} as (v ${type}, w ${type}[])`),
    ddl(
      `create table v${at} (id int primary key, v ${type}, a ${type}[], m ${type}[], h held${at}, k held${at}[])`
    )
  )
  const rows = values.map((value, id) =>
    command([
      `insert into v${at} select ${id}, x.v, array[x.v, null, x.v], array_fill(null::${type}, array[1, 2], array[0, 1]) || array[[x.v, x.v]],
        row(x.v, array[x.v])::held${at}, array[row(x.v, '{}')::held${at}, null]
      from (select (${value})::${type} as v) x`
    ])
  )
  return run(...rows, command([`update v${at} set a = a || v`]))
}

t.test('every type on the list gives a replica what the master has', async t => {
  const pair = await startPair(t)
  await pair.run(...OWN.map(ddl))
  for (const [at, [type, arbitrary]] of Object.entries(TYPES).entries()) {
    const values = [...new Set(fc.sample(arbitrary, { numRuns: VALUES, seed: SEED })), 'null']
    const entries = await exchange(pair, at, type, values)
    let taken = 0
    for (const [i, entry] of entries.entries()) {
      if (entry.status === 200) taken += 1
      else if (resultOf(entry).sqlstate !== 'CV006') t.fail(`${type} ${values[i]}: ${entry.result}`)
    }
    t.ok(taken > entries.length / 2 || taken > 8, `${type}: ${taken} of ${entries.length} taken`)
    const image = `select count(*) || ' ' || md5(coalesce(string_agg(encode(record_send(r), 'hex'), ',' order by id), ''))
      from (select id, v, a, m from v${at}) r`
    const texts = `select md5(string_agg((r.*)::text || (r.h).v::text, ',' order by id)) from v${at} r`
    const forms = await Promise.all(
      [pair.master, pair.replica].map(async ({ server }) => [
        await below(server, image),
        await below(server, texts)
      ])
    )
    t.strictSame(forms[1], forms[0], `${type} is the same in binary form and in text`)
  }
  t.strictSame(await pair.differing(), [])
})

t.test('the list of the test is the list of the database', async t => {
  const { master } = await startPair(t)
  const names = await below(
    master.server,
    `select string_agg(format_type(t.oid, null), ',' order by 1) from pg_type t where t.typnamespace = 'pg_catalog'::regnamespace
      and t.typtype = 'b' and t.typarray <> 0 and convoy.type_fault(array[t.oid]) is null`
  )
  const tested = await Promise.all(
    Object.keys(TYPES)
      .slice(0, Object.keys(TYPES).indexOf('int4range'))
      .map(type => below(master.server, `select format_type(${quote(type)}::regtype, null)`))
  )
  t.strictSame([...new Set(tested)].sort(), names.split(',').sort())
})
