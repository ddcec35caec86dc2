import t from 'tap'
import type { StatementKind, WriteCommand } from '../../wire/requests.ts'
import { Turn } from './turn.ts'

const limits = { writeTimeoutMs: 5_000, writePatienceMs: 1_000 }
const write = (client: string, kind: StatementKind = 'dml'): WriteCommand => ({
  ...{ requestId: client, commandHash: '', ttlMs: 10_000, mayRepeat: false, client },
  statements: [{ sql: '', params: [], kind }]
})

function turnOf(batch: readonly WriteCommand[], { waiting = false, expired = false } = {}) {
  const bystanders = { othersWait: () => waiting, isExpired: () => expired }
  return new Turn({ batch, limits, bystanders })
}

t.test('a command has all its time while nobody else waits', async t => {
  const one = write('a')
  const turn = turnOf([one, write('a')])
  t.equal(turn.standing(one, 4_999).kind, 'goes on')
  t.match(turn.standing(one, 5_000), { kind: 'failed', why: /longer than 5000 ms$/ })
})

t.test('it has less while others wait, in its batch or outside', async t => {
  const one = write('a')
  for (const turn of [turnOf([one, write('b')]), turnOf([one], { waiting: true })]) {
    t.equal(turn.standing(one, 999).kind, 'goes on')
    t.match(turn.standing(one, 1_000), { kind: 'failed', why: /while other clients waited/ })
  }
})

t.test('who took long lets others go first, and they are not failed for it', async t => {
  const [slow, next, other] = [write('a'), write('a'), write('b')]
  const turn = turnOf([slow, next, other])
  t.ok(turn.mayBegin(slow))
  turn.spent(slow, 900)
  t.notOk(turn.mayBegin(next))
  t.ok(turn.mayBegin(other))
  t.equal(turn.standing(other, 249).kind, 'goes on')
  t.equal(turn.standing(other, 250).kind, 'postponed')
  turn.spent(other, 600)
  t.notOk(turn.mayBegin(write('c')), 'the batch has taken too long')
})

t.test('the first of a batch always begins, and quick ones follow', async t => {
  const turn = turnOf([write('a'), write('b')])
  for (let i = 0; i < 20; i++) {
    t.ok(turn.mayBegin(write('a')))
    turn.spent(write('a'), 10)
  }
  t.equal(turn.standing(write('b'), 799).kind, 'goes on', 'what was spent is little')
})

t.test('nobody works on for a caller whose deadline has passed', async t => {
  const one = write('a')
  const turn = turnOf([one], { expired: true })
  t.notOk(turn.mayBegin(one))
  t.equal(turn.standing(one, 1).kind, 'postponed')
})

t.test('schema changes, truncate, clear and verify are not hurried', async t => {
  const turn = turnOf([write('a'), write('b')], { waiting: true })
  for (const kind of ['ddl', 'truncate', 'clear'] as const) {
    t.equal(turn.standing(write('a', kind), 4_999).kind, 'goes on')
    t.equal(turn.standing(write('a', kind), 5_000).kind, 'failed')
  }
  t.equal(turn.standing(write('a', 'verify'), 60_000).kind, 'goes on')
})

t.test('where nobody is named that could wait, nothing is postponed', async t => {
  const turn = new Turn({ batch: [write('a'), write('b')], limits, bystanders: undefined })
  turn.spent(write('a'), 4_000)
  t.ok(turn.mayBegin(write('a')))
  t.equal(turn.standing(write('b'), 4_000).kind, 'goes on')
})
