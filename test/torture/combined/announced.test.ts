import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { announcedIn, wrongWith } from './announced.ts'

const page = readFileSync(join(import.meta.dirname, '../../../docs/errors.md'), 'utf8')
const announced = announcedIn(page)
const wrong = (status: number, code: string, retryAfter = false) =>
  wrongWith({ status, code, retryAfter }, announced)

t.test('the page is understood', async t => {
  t.ok(announced.size > 30)
  t.equal(announced.get('CONVOY_OVERLOADED'), 503)
})

t.test('what faults excuse passes', async t => {
  t.equal(wrong(200, ''), null)
  t.equal(wrong(503, 'CONVOY_OVERLOADED', true), null)
  t.equal(wrong(504, 'CONVOY_UNKNOWN_OUTCOME'), null)
  t.equal(wrong(422, 'CONVOY_REQUEST_HARMFUL'), null)
  const late = { status: 400, code: 'CONVOY_SQL', retryAfter: false, sqlstate: '57014' }
  t.equal(wrongWith(late, announced), null)
  t.match(wrongWith({ ...late, sqlstate: '53300' }, announced), /good request/)
})

t.test('what they do not excuse is told', async t => {
  t.match(wrong(500, 'CONVOY_INTERNAL'), /good request/)
  t.match(wrong(422, 'CONVOY_REQUEST_ID_REUSED'), /good request/)
  t.match(wrong(503, 'CONVOY_OVERLOADED'), /Retry-After/)
  t.match(wrong(503, 'CONVOY_MADE_UP', true), /not announced/)
  t.match(wrong(502, ''), /not announced/)
})
