import t from 'tap'
import { isWanted, lineText, parseLine, sinceOf } from './lines.ts'

const JSON_LINE =
  '{"level":40,"time":"2026-11-22T09:00:00.000Z","service":"lb","pid":7,"requestId":"r-1","msg":"slow"}'
const ALL = { level: undefined, requestId: undefined, since: undefined }

t.test('lines of Convoy are read as they are written', async t => {
  const line = parseLine(JSON_LINE, 'lb')
  t.match(line, { source: 'lb', at: '2026-11-22T09:00:00.000Z', level: 'warn', message: 'slow' })
  t.equal(lineText(line), '2026-11-22T09:00:00.000Z WARN  lb              slow requestId=r-1')
})

t.test('time and level are read of lines of other servers, without their colours', async t => {
  const rabbit = '\x1b[38;5;87m2026-11-22 09:00:01.123456+00:00 [warning] <0.1.0> closing\x1b[0m'
  t.match(parseLine(rabbit, 'rabbitmq'), {
    at: '2026-11-22T09:00:01.123Z',
    level: 'warn',
    message: '[warning] <0.1.0> closing'
  })
  const zoo = '2026-11-22 09:00:02,007 [myid:] - ERROR [main:X@1] - broken'
  t.match(parseLine(zoo, 'zookeeper'), { at: '2026-11-22T09:00:02.007Z', level: 'error' })
  const postgres = '2026-11-22 09:00:03.500 GMT [12] LOG:  ready'
  t.match(parseLine(postgres, 'postgres'), {
    at: '2026-11-22T09:00:03.500Z',
    level: 'info',
    message: '[12] LOG:  ready'
  })
})

t.test('a line without a time is of the time of the one before it', async t => {
  const before = parseLine(JSON_LINE, 'lb')
  const after = parseLine('    at Object.<anonymous>', 'lb', before)
  t.strictSame([after.at, after.level], [before.at, 'warn'])
})

t.test('lines are chosen by level, request and age', async t => {
  const line = parseLine(JSON_LINE, 'lb')
  t.ok(isWanted(line, ALL))
  t.ok(isWanted(line, { ...ALL, level: 'warn' }))
  t.notOk(isWanted(line, { ...ALL, level: 'error' }))
  t.ok(isWanted(line, { ...ALL, requestId: 'r-1' }))
  t.notOk(isWanted(line, { ...ALL, requestId: 'r-2' }))
  t.notOk(isWanted(line, { ...ALL, since: '2026-11-22T09:00:01.000Z' }))
})

t.test('an age or a time says from when on', async t => {
  const nowMs = Date.parse('2026-11-22T12:00:00Z')
  t.equal(sinceOf('10m', nowMs), '2026-11-22T11:50:00.000Z')
  t.equal(sinceOf('2h', nowMs), '2026-11-22T10:00:00.000Z')
  t.equal(sinceOf('2026-11-22T08:00:00Z', nowMs), '2026-11-22T08:00:00.000Z')
  t.equal(sinceOf('soon', nowMs), undefined)
})
