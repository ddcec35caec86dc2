/** Values of an application, and the text that PostgreSQL is given for them in the end. */
import t from 'tap'
import { keepExact } from '../wire/exact-params.ts'
import { paramText } from '../wire/param-text.ts'
import type { Param as SentParam } from '../wire/requests.ts'
import { InvalidParameterError, type Param, paramsJson } from './params.ts'

/** Over the client's JSON and the orchestrator's reading of it. */
function textOf(param: Param): string | null {
  const text = JSON.stringify({ sql: '', params: paramsJson([param]) })
  const body = JSON.parse(text)
  keepExact(text, body)
  return paramText((body.params as [SentParam])[0])
}

class Money {
  readonly cents: bigint
  constructor(cents: bigint) {
    this.cents = cents
  }
  toJSON() {
    return `${this.cents / 100n}.${this.cents % 100n}`
  }
}

class Point {
  readonly x = 1
  readonly y = 2
}

const nothing: Record<string, unknown> = Object.create(null)

t.test('values become the text that means the same in PostgreSQL', async t => {
  const cases: [Param, string | null][] = [
    ['a"\\😀', 'a"\\😀'],
    ['', ''],
    [null, null],
    [true, 'true'],
    [1.5, '1.5'],
    [-0, '-0'],
    [2 ** 60, '1152921504606846976'],
    [1e300, '1e+300'],
    [Number.NaN, 'NaN'],
    [Number.NEGATIVE_INFINITY, '-Infinity'],
    [2n ** 64n + 1n, '18446744073709551617'],
    [-7n, '-7'],
    [Buffer.from('hé'), '\\x68c3a9'],
    [Buffer.from('hello').subarray(1, 3), '\\x656c'],
    [new Uint8Array([0, 255]), '\\x00ff'],
    [new Uint8Array([1, 2]).buffer, '\\x0102'],
    [Buffer.alloc(0), '\\x'],
    [new Date('2024-02-29T12:34:56.789Z'), '2024-02-29T12:34:56.789Z'],
    [new Date(Date.UTC(12_345, 0, 1)), '12345-01-01T00:00:00.000Z'],
    [new Date('-000043-03-15T00:00:00Z'), '0044-03-15T00:00:00.000Z BC'],
    [['a', 1n, null, Buffer.from('b'), new Date(0), Number.NaN], null],
    [{ a: 1, n: 2n ** 60n, z: -0, d: new Date(0), u: [null, 'x'] }, null],
    [{ '2': 'b', __proto__: null } as Param, '{"2":"b"}'],
    [new Money(1_234n) as unknown as Param, '12.34'],
    [new URL('http://a/b') as unknown as Param, 'http://a/b'],
    [{ n: 2 ** 60 }, '{"n":1152921504606846976}'],
    [{ price: new Money(501n) }, '{"price":"5.1"}'],
    [new Point() as unknown as Param, '{"x":1,"y":2}'],
    [nothing, '{}'],
    [JSON.parse('{"__proto__":{"a":1}}'), '{"__proto__":{"a":1}}'],
    [
      [
        [1n, 2n],
        [3n, null]
      ],
      '{{"1","2"},{"3",NULL}}'
    ]
  ]
  const listed = '{"a","1",NULL,"\\\\x62","1970-01-01T00:00:00.000Z","NaN"}'
  const object =
    '{"a":1,"n":1152921504606846976,"z":-0,"d":"1970-01-01T00:00:00.000Z","u":[null,"x"]}'
  for (const [value, expected] of cases) {
    const text = textOf(value)
    if (value === null || expected !== null) t.equal(text, expected)
    else t.equal(text, Array.isArray(value) ? listed : object)
  }
})

t.test('what has no form is refused before anything is sent, and named', async t => {
  const circular: Record<string, unknown> = {}
  circular['self'] = circular
  const sparse = [1]
  sparse[2] = 3
  const values: unknown[] = [
    undefined,
    () => {},
    Symbol('s'),
    new Date(Number.NaN),
    new Map([[1, 2]]),
    new Set([1]),
    new Int32Array(2),
    new DataView(new ArrayBuffer(1)),
    new Float64Array(1),
    /x/,
    new Error('x'),
    Promise.resolve(),
    Object(1),
    'a\ud800',
    ['\udc00'],
    [undefined],
    sparse,
    [() => {}],
    { a: undefined },
    { a: { b: [undefined] } },
    { a: Number.NaN },
    { a: Number.POSITIVE_INFINITY },
    { a: Buffer.from('x') },
    { a: new Map() },
    { a: '\ud800' },
    { '\ud800': 1 },
    { a: new Date(Number.NaN) },
    { a: new Uint8Array(1).buffer },
    { toJSON: () => undefined },
    circular,
    [[[new Set()]]]
  ]
  for (const value of values) {
    const ask = () => paramsJson(['fine', value as Param])
    t.throws(ask, { code: 'CONVOY_INVALID_PARAMETER', parameter: 2, message: /^parameter \$2 / })
    t.throws(ask, InvalidParameterError)
  }
})

t.test('types refuse what is refused, as far as they can tell', async t => {
  // @ts-expect-error
  const missing: Param = undefined
  // @ts-expect-error
  const map: Param = new Map<string, string>()
  // @ts-expect-error
  const called: Param = () => 1
  // @ts-expect-error
  const symbol: Param = Symbol('s')
  // @ts-expect-error
  const holes: Param = [undefined]
  t.equal([missing, map, called, symbol, holes].length, 5)
})
