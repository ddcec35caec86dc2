import { Registry } from 'prom-client'
import t from 'tap'
import { openHttp } from '../http.ts'
import { openLog } from '../log.ts'
import { takeJson, textOf } from './json-body.ts'

const BODY = '{"name":"é"}'
const JSON_TYPE = 'application/json'

t.test('bodies are UTF-8 and not compressed; anything else would arrive changed', async t => {
  const app = await openHttp({
    service: 'test',
    title: 'Test',
    log: openLog({ service: 'test', level: 'silent' }),
    metrics: new Registry(),
    bodyLimit: 1_000,
    missing: () => []
  })
  t.teardown(() => app.close())
  takeJson(app, app.getDefaultJsonParser('error', 'error'))
  app.post('/echo', request => ({ got: request.body ?? null }))
  const ask = async (payload: Buffer | string, headers: Record<string, string> = {}) => {
    const options = { method: 'POST', url: '/echo', payload } as const
    const all = { 'content-type': JSON_TYPE, ...headers }
    const answer = await app.inject({ ...options, headers: all })
    return [answer.statusCode, answer.json().code ?? answer.json().got]
  }
  const got = [200, { name: 'é' }]
  const wrong = [400, 'CONVOY_INVALID_REQUEST']
  const other = [415, 'CONVOY_UNSUPPORTED_MEDIA_TYPE']
  t.strictSame(await ask(BODY), got)
  t.strictSame(await ask(`\ufeff${BODY}`), got, 'a mark in front')
  t.strictSame(await ask(''), [200, null])
  for (const charset of ['utf-8', 'UTF-8', '"utf8"', 'utf-8; x=y']) {
    t.strictSame(await ask(BODY, { 'content-type': `${JSON_TYPE}; charset=${charset}` }), got)
  }
  for (const charset of ['latin1', 'ISO-8859-1', 'utf-16', '"utf-16le"', 'windows-1252', 'utf-7']) {
    t.strictSame(await ask(BODY, { 'content-type': `${JSON_TYPE};charset=${charset}` }), other)
  }
  t.strictSame(await ask(BODY, { 'content-encoding': 'identity' }), got)
  for (const coding of ['gzip', 'br', 'deflate', 'identity, gzip']) {
    t.strictSame(await ask(BODY, { 'content-encoding': coding }), other, coding)
  }
  const bytes: Record<string, Buffer> = {
    latin1: Buffer.from(BODY, 'latin1'),
    'UTF-16': Buffer.from(BODY, 'utf16le'),
    'half of a pair': Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]),
    'too long a form': Buffer.from([0x22, 0xc0, 0xaf, 0x22]),
    'beyond Unicode': Buffer.from([0x22, 0xf4, 0x90, 0x80, 0x80, 0x22]),
    'cut off': Buffer.from([0x22, 0xe2, 0x82, 0x22])
  }
  for (const [name, payload] of Object.entries(bytes)) t.strictSame(await ask(payload), wrong, name)
  t.strictSame(await ask('{"a":'), wrong)
  t.strictSame(await ask('{"__proto__":1}'), wrong)
})

t.test('the values of a body are counted, whatever stands in its texts', async t => {
  const many = (part: string, count: number) => Buffer.from(`[${part.repeat(count)}1]`)
  const refused = {
    'x,': 250_001,
    '[],': 50_001,
    '{},': 50_001,
    '{"a":1},': 30_000,
    '"\\"",': 250_001
  }
  for (const [part, count] of Object.entries(refused)) {
    t.throws(() => textOf(many(part, count), {}), { code: 'CONVOY_BODY_TOO_LARGE' }, part)
  }
  const texts = ['x,'.repeat(900_000), '\\"[],'.repeat(300_000), '\\\\'.repeat(300_000)]
  for (const text of texts) t.type(textOf(Buffer.from(`["${text}", 1]`), {}), 'string')
  t.type(textOf(many('"a value",', 245_000), {}), 'string')
})
