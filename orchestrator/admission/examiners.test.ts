/**
 * Long texts, which threads parse: the event loop goes on meanwhile, and none of them holds
 * up another client for long.
 */
import t, { type Test } from 'tap'
import type { ServiceError } from '../../wire/errors.ts'
import { openAdmission } from './admission.ts'
import { Examiners } from './examiners.ts'
import { openParser } from './parser.ts'
import { VerdictCache } from './verdict-cache.ts'

const CHARS = 1_150_000
const filled = (head: string, part: string, tail: string) =>
  head + part.repeat(Math.floor((CHARS - head.length - tail.length) / part.length)) + tail

/** Taken or refused, each of them once held the event loop for between 2 s and minutes. */
const LONG: Record<string, string> = {
  rows: filled('insert into t values ', "(12345, 'the text of a row', 1.5),", "(1, '', 2)"),
  literals: `select ${'1,'.repeat(190_000)}1`,
  'sorted columns': `select 1 order by ${'a,'.repeat(190_000)}a`,
  'typed literals': `select ${"N'',".repeat(130_000)}1`,
  conditions: filled('select 1', ' or a', ''),
  comments: filled('select ', '/**/', '1'),
  nested: filled('select ', '(', '1'),
  operators: filled('select ', '+-', '1'),
  'shared rows': `update t set (${'a,'.repeat(100_000)}a) = (${'a,'.repeat(100_000)}a)`,
  'a syntax error at the end': filled('select ', '1,', ''),
  'a string': filled("select '", 'é', "'"),
  semicolons: filled('select 1', ';', '')
}

async function opened(t: Test) {
  const admission = openAdmission(await openParser())
  t.teardown(() => admission[Symbol.asyncDispose]())
  return admission
}

const codeOf = (attempt: Promise<unknown>) =>
  attempt.then(
    () => undefined,
    (error: ServiceError) => error.code
  )

t.test('the event loop waits for no text, however long and whatever it holds', async t => {
  const admission = await opened(t)
  await admission.read(LONG['literals'] as string, []) // a thread is there, and code is compiled
  for (const [name, sql] of Object.entries(LONG)) {
    // Of this thread alone, whatever else the machine does.
    const before = process.threadCpuUsage()
    const code = await codeOf(admission.write([{ sql }]))
    const { user, system } = process.threadCpuUsage(before)
    // On a busy machine a valid text may take longer than a thread is given.
    t.match(String(code), /^(undefined|CONVOY_SQL(_NOT_ALLOWED)?|CONVOY_OVERLOADED)$/, name)
    const ms = (user + system) / 1_000
    t.ok(ms < 50, `${name}: ${code ?? 'taken'}, ${ms} ms`)
  }
})

t.test('many short statements are as one long text', async t => {
  const admission = await opened(t)
  const statements = Array.from({ length: 1_000 }, (_, i) => ({
    sql: `insert into t (a, b, c) values (${i}, 'the text of row ${i}', ${i} + 1)`
  }))
  const { statements: admitted } = await admission.write(statements)
  t.equal(JSON.parse(admitted).length, 1_000)
  const bad = statements.with(500, { sql: 'selec 1' }).with(700, { sql: 'vacuum' })
  const error = await admission.write(bad).catch(error => error)
  t.strictSame([error.code, error.details.statement], ['CONVOY_SQL', 500])
})

t.test('the SQL of a request is bounded as a whole', async t => {
  const admission = await opened(t)
  const half = `select '${'x'.repeat(700_000)}'`
  await admission.write([{ sql: half }])
  const error = await admission.write([{ sql: half }, { sql: `${half} ` }]).catch(error => error)
  t.strictSame([error.code, error.statusCode], ['CONVOY_SQL_TOO_LARGE', 413])
})

t.test('beside long texts of one client, another is served by the other thread', async t => {
  const admission = await opened(t)
  const long = (i: number) => `select ${i},${"N'',".repeat(40_000)}1`
  const short = (i: number) => `select ${i},${'1,'.repeat(3_000)}1`
  await Promise.all([admission.read(long(-1), [], 'a'), admission.read(long(-2), [], 'b')])
  const settled: string[] = []
  const hostile = Array.from({ length: 12 }, (_, i) =>
    codeOf(admission.read(long(i), [], 'a')).then(code => {
      if (code === undefined) settled.push('a')
      return code
    })
  )
  await admission.read(short(0), [], 'b')
  t.ok(settled.length <= 1, `not behind what a waits for: ${settled.length}`)
  const codes = await Promise.all(hostile)
  t.ok(codes.includes('CONVOY_OVERLOADED'), 'its own queue is bounded')
  t.ok(codes.includes(undefined), 'and served')
})

t.test('what waits is given up in time, and on closing', async t => {
  const examiners = new Examiners()
  const long = `select ${'1,'.repeat(100_000)}1`
  const asked = Array.from({ length: 66 }, (_, i) =>
    codeOf(examiners.examine([long], `client ${i}`))
  )
  t.throws(() => examiners.examine([long], 'one more'), { code: 'CONVOY_OVERLOADED' })
  await examiners[Symbol.asyncDispose]()
  const codes = new Set(await Promise.all(asked))
  t.ok(codes.has('CONVOY_OVERLOADED'))
})

t.test('a thread is in order again after texts that it could not hold', async t => {
  const admission = await opened(t)
  for (let i = 0; i < 3; i++) {
    await codeOf(admission.read(`select ${i},${'1,'.repeat(398_000)}1`, []))
    await admission.read(`select ${i},${'1,'.repeat(3_000)}1`, [])
  }
})

t.test('the memory of verdicts is bounded in bytes', async t => {
  const cache = new VerdictCache<number>()
  for (let i = 0; i < 3_000; i++) cache.keep(`${i} ${'x'.repeat(8_000)}`, i)
  t.ok(cache.chars <= 2_000_000, `${cache.chars}`)
  t.equal(cache.get(`2999 ${'x'.repeat(8_000)}`), 2_999)
  t.equal(cache.get(`0 ${'x'.repeat(8_000)}`), undefined)
  for (let i = 0; i < 5_000; i++) cache.keep(`${i}`, i)
  t.equal(cache.get('2000'), undefined)
  t.equal(cache.get('4000'), 4_000)
})
