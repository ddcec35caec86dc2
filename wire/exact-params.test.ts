import t from 'tap'
import { keepExact } from './exact-params.ts'
import { isTooDeep, paramText } from './param-text.ts'
import type { Param } from './requests.ts'

/** What PostgreSQL is given for the parameters `json`, JSON text of a list. */
function texts(json: string, around = (params: string) => `{"sql":"x","params":${params}}`) {
  const text = around(json)
  const body = JSON.parse(text)
  keepExact(text, body)
  const { params } = body.body?.statements?.[1] ?? body.statements?.[1] ?? body
  return (params as Param[]).map(paramText)
}

t.test('numbers keep their digits, and stay numbers where JavaScript holds them', async t => {
  const exact = [
    '9007199254740993',
    '-9007199254740993',
    '750727362669608961',
    '123456789012345678901234567890',
    '1e400',
    '-1e400',
    '1e-400',
    '-0',
    '-0.0',
    '0.1000000000000000055511151231257827',
    '3.14159265358979323846',
    '1E400',
    '12345678901234567890.5',
    '1e21',
    '9007199254740992'
  ]
  t.strictSame(texts(`[${exact.join(',')}]`), exact)
  t.strictSame(texts(`[ ${exact.join(' , ')} ]`), exact, 'with blanks')
  t.strictSame(texts('[1.0, 1e2, 0.10, 12.50, 1E+3, -1.5e-3, 0.1, 100, -7]'), [
    ...['1', '100', '0.1', '12.5', '1000', '-0.0015', '0.1', '100', '-7']
  ])
})

t.test('what JavaScript holds is left as it is, so that digests stay the same', async t => {
  const body = { statements: [{ sql: 'x', params: [1, 'a', null, { b: [1, 'é'] }, [1, 'x']] }] }
  const text = JSON.stringify(body)
  const parsed = JSON.parse(text)
  keepExact(text, parsed)
  t.strictSame(parsed, body)
})

t.test('objects keep keys, their order, doubles and numbers', async t => {
  const objects = [
    '{"id":750727362669608961}',
    '{"b":1,"a":2,"10":3,"9":4}',
    '{"a":1,"a":2}',
    '{"__proto__":{"x":1}}',
    '{"n":1e400,"z":-0,"d":0.10}',
    '{"text":"\\u00e9 \\" \\\\ 1 , 2","half":"\\ud800"}',
    '{"deep":[[{"k":[9007199254740993]}]]}',
    '{}'
  ]
  t.strictSame(texts(`[${objects.join(',')}]`), objects)
  t.strictSame(texts('[ { "a" : [ 1 , "b  c" ] ,\n"1":\t2 } ]'), ['{"a":[1,"b  c"],"1":2}'])
})

t.test('arrays become literals of their exact items', async t => {
  t.strictSame(texts('[[9007199254740993, null, true, "a\\"b", 1.0]]'), [
    '{"9007199254740993",NULL,"true","a\\"b","1"}'
  ])
  t.strictSame(texts('[[[1e400, -0], [1, 2]]]'), ['{{"1e400","-0"},{"1","2"}}'])
  t.strictSame(texts('[[{"10":1,"9":2}]]'), ['{"{\\"10\\":1,\\"9\\":2}"}'])
  t.strictSame(texts('[[], [[]], [ ]]'), ['{}', '{{}}', '{}'])
  t.strictSame(texts('[["\\u0041\\n\\"", 9007199254740993]]'), ['{"A\n\\"","9007199254740993"}'])
})

t.test('the parameters of each statement are found, wherever they stand', async t => {
  const json = '[9007199254740993,{"10":1,"9":"}]"}]'
  const expected = ['9007199254740993', '{"10":1,"9":"}]"}']
  const other = '{"sql":"[{\\"params\\":[1]}]","params":[1e400,"]"]}'
  const ways = [
    (params: string) => `{"params":${params},"sql":"\\"params\\":[1]"}`,
    (params: string) => `{"params":[1],"sql":"x","params":${params}}`,
    (params: string) => `{"p\\u0061rams":${params},"sql":"x"}`,
    (params: string) => `{"statements":[${other},{"sql":"x","params":${params},"expectRows":1}]}`,
    (params: string) => ` { "statements" : [ ${other} , { "params" : ${params} } ] } `,
    (params: string) => `{"n":1,"path":"/","headers":{},"body":{"sql":"x","params":${params}}}`,
    (params: string) =>
      `{"n":1,"path":"/","headers":{},"body":{"statements":[{"sql":"x"},{"params":${params}}]}}`
  ]
  for (const way of ways.slice(0, 5)) t.strictSame(texts(json, way), expected, way(json))
  for (const way of ways.slice(5)) {
    const text = way(json)
    const call = JSON.parse(text)
    keepExact(text, call)
    const { params } = call.body.statements?.[1] ?? call.body
    t.strictSame(params.map(paramText), expected, text)
  }
})

t.test('bodies of another form are left alone', async t => {
  const texts = ['[]', 'null', '1e400', '{"params":{"a":1e400}}', '{"statements":1e400}']
  for (const text of [...texts, '{"statements":[1,[2],{"params":3}],"params":[1e400]}']) {
    const parsed = JSON.parse(text)
    keepExact(text, parsed)
    t.strictSame(parsed, JSON.parse(text), text)
  }
})

t.test('what is nested too deeply is told, however deep and wide', async t => {
  const deep = JSON.parse('['.repeat(100_000) + ']'.repeat(100_000))
  t.ok(isTooDeep(deep))
  t.ok(isTooDeep(JSON.parse(`${'{"a":'.repeat(501)}1${'}'.repeat(501)}`)))
  t.notOk(isTooDeep(JSON.parse('['.repeat(500) + ']'.repeat(500))))
  t.notOk(isTooDeep(JSON.parse(`[${'[],'.repeat(300_000)}1]`)))
  const text = `{"sql":"x","params":[${'['.repeat(50_000)}${']'.repeat(50_000)}, 1e400]}`
  const body = JSON.parse(text)
  keepExact(text, body)
  t.equal(body.params[1], '1e400')
  t.ok(isTooDeep(body.params[0]))
})

t.test('random JSON is the same by either way, but for what JavaScript cannot hold', async t => {
  let seed = 7
  const random = (n: number) => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648
    return seed % n
  }
  const value = (depth: number): unknown => {
    const kinds = depth > 3 ? 5 : 7
    const kind = random(kinds)
    if (kind === 0) return null
    if (kind === 1) return random(2) === 0
    if (kind === 2) return random(1_000_000) / 10 ** random(6)
    if (kind < 5)
      return String.fromCharCode(...Array.from({ length: random(9) }, () => random(900)))
    const items = Array.from({ length: random(5) }, () => value(depth + 1))
    return kind === 5 ? items : Object.fromEntries(items.map((item, i) => [`k"\\${i}`, item]))
  }
  for (let i = 0; i < 2_000; i++) {
    const params = [value(0), value(1), 9_007_199_254_740_991]
    const text = JSON.stringify({ sql: '', params: [...params, '!'] }, null, random(3))
    const exact = text.replace('"!"', '1e400')
    const body = JSON.parse(exact)
    keepExact(exact, body)
    t.strictSame(
      body.params.map(paramText),
      [...(params as Param[]).map(paramText), '1e400'],
      exact
    )
  }
})

t.test('the worst bodies that are let through are read again in linear time', async t => {
  const parts = {
    floats: '1.5e1,',
    objects: '{},',
    arrays: '[],',
    texts: '"\\"",',
    blanks: '1 ,\n'
  }
  for (const [name, part] of Object.entries(parts)) {
    const text = `{"sql":"x","params":[[${part.repeat(60_000)}1e400]]}`
    const body = JSON.parse(text)
    const beganMs = performance.now()
    keepExact(text, body)
    t.ok(performance.now() - beganMs < 1_000, name)
    t.type(body.params[0], 'string', name)
  }
})
