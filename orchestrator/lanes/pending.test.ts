import t from 'tap'
import { OverloadedError, type ServiceError } from '../../wire/errors.ts'
import { type PendingRead, PendingReads, pendingRead, readText } from './pending-reads.ts'
import { type Answer, commandText, PendingWrites, type WriteAsk } from './pending-writes.ts'

const ANSWER: Answer = { status: 200, body: Buffer.from('{}') }

/** A caller that remembers what it was told. */
function caller() {
  const told: string[] = []
  return {
    told,
    answer: (answer: Answer) => told.push(String(answer.status)),
    refuse: (error: ServiceError) => told.push(error.code)
  }
}

const ask = (fields: Partial<WriteAsk> = {}): WriteAsk => ({
  requestId: 'id',
  commandHash: 'hash',
  statements: '[]',
  mayRepeat: false,
  deadlineMs: 1_000,
  ...fields
})

t.test('the first reply wins, and a late one is dropped', async t => {
  const writes = new PendingWrites(300)
  const one = caller()
  const { write } = writes.add(ask(), one)
  t.equal(writes.reply('id', ANSWER, 0), write)
  t.equal(writes.reply('id', ANSWER, 0), undefined)
  t.strictSame(one.told, ['200'])
})

t.test('two callers of one id and command share the outcome', async t => {
  const writes = new PendingWrites(300)
  const callers = [caller(), caller()]
  t.equal(writes.add(ask(), callers[0]!).joined, false)
  t.equal(writes.add(ask({ deadlineMs: 2_000 }), callers[1]!).joined, true)
  writes.reply('id', ANSWER, 0)
  t.strictSame(
    callers.map(one => one.told),
    [['200'], ['200']]
  )
})

t.test('one id for two commands is refused, also after the first got its 504', async t => {
  const writes = new PendingWrites(300)
  const { write } = writes.add(ask(), caller())
  const other = () => writes.add(ask({ commandHash: 'other' }), caller())
  t.throws(other, { code: 'CONVOY_REQUEST_ID_REUSED' })
  writes.sent(write, 1, 0)
  writes.expire(1_000)
  t.throws(other, { code: 'CONVOY_REQUEST_ID_REUSED' })
  t.equal(writes.add(ask(), caller()).joined, false, 'the same command may ask again')
})

t.test('a reply to a copy that may still come does not answer another command', async t => {
  const writes = new PendingWrites(300)
  const { write: twice } = writes.add(ask({ requestId: 'twice' }), caller())
  writes.sent(twice, 1, 0)
  writes.sent(twice, 1, 300)
  writes.reply('twice', ANSWER, 310)
  const { write: late } = writes.add(ask({ requestId: 'late' }), caller())
  writes.sent(late, 1, 0)
  writes.expire(1_000)
  const { write: again } = writes.add(ask({ requestId: 'late', deadlineMs: 2_000 }), caller())
  writes.sent(again, 1, 1_000)
  writes.reply('late', ANSWER, 1_010)
  for (const requestId of ['twice', 'late']) {
    const other = () => writes.add(ask({ requestId, commandHash: 'other' }), caller())
    t.throws(other, { code: 'CONVOY_REQUEST_ID_REUSED' })
    t.equal(writes.add(ask({ requestId }), caller()).joined, false, 'the same may ask again')
  }
})

t.test(
  'at its deadline a write that was sent is unknown, and one that was not is not done',
  async t => {
    const writes = new PendingWrites(300)
    const [sent, waiting] = [caller(), caller()]
    writes.sent(writes.add(ask({ requestId: 'sent' }), sent).write, 1, 0)
    writes.add(ask({ requestId: 'waiting' }), waiting)
    t.equal(writes.expire(999).length, 0)
    t.equal(writes.expire(1_000).length, 2)
    t.strictSame(sent.told, ['CONVOY_UNKNOWN_OUTCOME'])
    t.strictSame(waiting.told, ['CONVOY_OVERLOADED'])
    t.equal(writes.size, 0)
  }
)

t.test('each caller has its own deadline', async t => {
  const writes = new PendingWrites(300)
  const [early, late] = [caller(), caller()]
  writes.sent(writes.add(ask({ deadlineMs: 1_000 }), early).write, 1, 0)
  writes.add(ask({ deadlineMs: 2_000 }), late)
  t.strictSame(writes.expire(1_500), [])
  t.strictSame([early.told, late.told], [['CONVOY_UNKNOWN_OUTCOME'], []])
  writes.reply('id', ANSWER, 0)
  t.strictSame(late.told, ['200'])
})

t.test('a new term sends again what was sent, as a suspect where its master ended', async t => {
  const writes = new PendingWrites(300)
  const one = caller()
  const { write } = writes.add(ask(), one)
  t.strictSame(writes.newTerm(4, false), [], 'it still waits in the lane')
  t.equal(write.suspect, false, 'no master had it')
  writes.sent(write, 4, 0)
  t.strictSame(writes.newTerm(5, true), [write])
  t.equal(write.suspect, false, 'its master gave up by itself')
  for (const term of [5, 6, 7, 8, 9]) {
    writes.sent(write, term, 0)
    t.strictSame(writes.newTerm(term + 1, false), [write], 'in as many terms as it takes')
    t.equal(write.suspect, true)
  }
  t.strictSame(one.told, [])
})

t.test('what is sent while the master is known to be gone is no suspect', async t => {
  const writes = new PendingWrites(300)
  const { write: before } = writes.add(ask({ requestId: 'before' }), caller())
  const { write: after } = writes.add(ask({ requestId: 'after' }), caller())
  writes.sent(before, 1, 0)
  writes.led = false
  writes.sent(after, 1, 0)
  writes.newTerm(2, false)
  t.strictSame([before.suspect, after.suspect], [true, false])
  writes.sent(after, 2, 0)
  writes.newTerm(3, false)
  t.equal(after.suspect, true, 'the next one had it')
})

t.test('what is still in the queue is within reach of the next master', async t => {
  const writes = new PendingWrites(300)
  const { write: early } = writes.add(ask({ requestId: 'early' }), caller())
  writes.sent(early, 0, 0)
  writes.led = false
  const { write: unled } = writes.add(ask({ requestId: 'unled' }), caller())
  writes.sent(unled, 0, 0)
  writes.newTerm(1, true)
  const { write: unsent } = writes.add(ask({ requestId: 'unsent' }), caller())
  const marks = () => [early, unled, unsent].map(({ suspect }) => suspect)
  t.strictSame(marks(), [false, false, false])
  writes.newTerm(2, false)
  t.strictSame(marks(), [true, true, false], 'though none was sent again in term 1')
})

t.test('a suspect stays one when nobody waits for it for a while', async t => {
  const writes = new PendingWrites(300)
  const { write } = writes.add(ask(), caller())
  writes.sent(write, 1, 0)
  writes.expire(1_000)
  writes.newTerm(2, false)
  const { write: again } = writes.add(ask({ deadlineMs: 2_000 }), caller())
  t.equal(again.suspect, true)
  writes.sent(again, 2, 1_000)
  t.match(JSON.parse(commandText(again, 1_000)), { suspect: true })
})

t.test(
  'a write that was given up and is asked again is a repeat from its first copy on',
  async t => {
    const writes = new PendingWrites(300)
    const { write } = writes.add(ask(), caller())
    writes.sent(write, 1, 0)
    writes.expire(1_000)
    const { write: again } = writes.add(ask({ deadlineMs: 2_000 }), caller())
    writes.sent(again, 1, 1_000)
    const marks = { again: true, mayRepeat: true }
    t.match(
      JSON.parse(commandText(again, 1_000)),
      marks,
      'an earlier copy may have ended its master'
    )
  }
)

t.test('a write that stays unanswered is sent again, after twice the time each time', async t => {
  const writes = new PendingWrites(300)
  const { write } = writes.add(ask({ deadlineMs: 10_000 }), caller())
  t.strictSame(writes.hedge(5_000), [], 'it still waits in the lane')
  writes.sent(write, 1, 0)
  const times: number[] = []
  for (let nowMs = 0; nowMs < 10_000; nowMs += 100) {
    if (writes.hedge(nowMs).length === 0) continue
    times.push(nowMs)
    writes.sent(write, 1, nowMs)
  }
  t.strictSame(times, [300, 900, 2_100, 4_500, 9_300])
  writes.newTerm(2, true)
  writes.sent(write, 2, 9_400)
  t.strictSame([writes.hedge(9_699), writes.hedge(9_700)], [[], [write]], 'soon in a new term')
})

t.test('a copy sent again says that it may be a repeat', async t => {
  const writes = new PendingWrites(300)
  const { write } = writes.add(ask({ statements: '[{"sql":"x"}]' }), caller())
  writes.sent(write, 1, 0)
  t.strictSame(JSON.parse(commandText(write, 400)), {
    requestId: 'id',
    commandHash: 'hash',
    statements: [{ sql: 'x' }],
    ttlMs: 600,
    mayRepeat: false
  })
  writes.sent(write, 1, 0)
  t.match(JSON.parse(commandText(write, 400)), { mayRepeat: true, again: true })
  const { write: keyed } = writes.add(ask({ requestId: 'key', mayRepeat: true }), caller())
  writes.sent(keyed, 1, 0)
  t.equal(JSON.parse(commandText(keyed, 400)).mayRepeat, true)
})

t.test(
  'what the broker refuses is told as not done, unless an earlier copy is under way',
  async t => {
    const writes = new PendingWrites(300)
    const [once, twice] = [caller(), caller()]
    const { write: first } = writes.add(ask({ requestId: 'once' }), once)
    const { write: second } = writes.add(ask({ requestId: 'twice' }), twice)
    writes.sent(first, 1, 0)
    writes.sent(second, 1, 0)
    writes.sent(second, 1, 0)
    t.equal(writes.refused(first, new OverloadedError('full')), true)
    t.equal(writes.refused(second, new OverloadedError('full')), false)
    t.strictSame([once.told, twice.told], [['CONVOY_OVERLOADED'], []])
  }
)

function read(fields: Partial<PendingRead> = {}): PendingRead {
  const { sends = 1 } = fields
  return {
    ...pendingRead({
      readId: 'r',
      client: 'c',
      traceId: 't',
      sql: 'select 1',
      text: '{"readId":"r"',
      deadlineMs: 10_000,
      askedOf: 'readQ',
      pace: 'quick',
      caller: caller()
    }),
    ...{ sends, copies: new Set(sends === 0 ? [] : [sends]) },
    ...fields
  }
}

t.test('a read that stays unanswered is sent once more', async t => {
  const reads = new PendingReads(300)
  const late = read()
  reads.add(late)
  reads.add(read({ readId: 'waiting', sends: 0 }))
  t.strictSame(reads.hedge(299), [])
  t.strictSame(reads.hedge(300), [late])
  t.strictSame(reads.hedge(1_000), [])
})

t.test('when all reads are slow, none counts as late for being so', async t => {
  const reads = new PendingReads(300)
  for (let i = 0; i < 200; i++) {
    reads.add(read({ readId: String(i) }))
    reads.reply(String(i), ANSWER, 200)
  }
  const late = read()
  reads.add(late)
  t.strictSame(reads.hedge(700), [])
  t.strictSame(reads.hedge(801), [late])
})

t.test('reads that only their second copy brings back do not make each other late', async t => {
  const reads = new PendingReads(300)
  for (let nowMs = 0; nowMs < 100_000; nowMs += 400) {
    const frozen = read({ readId: String(nowMs), sentAtMs: nowMs })
    reads.add(frozen)
    t.strictSame(reads.hedge(nowMs + 300), [frozen])
    frozen.sentAtMs = nowMs + 300
    reads.reply(frozen.readId, ANSWER, nowMs + 310)
  }
})

t.test('a read that the master may hold is sent again to the next one', async t => {
  const reads = new PendingReads(300)
  const strong = read({ readId: 's', lane: 'strongQ' })
  reads.add(read())
  reads.add(strong)
  t.strictSame(reads.toMaster(), [strong])
})

t.test('a read at its deadline is told so', async t => {
  const reads = new PendingReads(300)
  const [sent, waiting] = [caller(), caller()]
  reads.add(read({ readId: 'sent', caller: sent }))
  reads.add(read({ readId: 'waiting', sends: 0, caller: waiting }))
  t.equal(reads.expire(10_000).length, 2)
  t.strictSame([sent.told, waiting.told], [['CONVOY_TIMEOUT'], ['CONVOY_OVERLOADED']])
})

t.test('the wire gets the time that is left', async t => {
  t.strictSame(JSON.parse(readText(read(), 4_000)), { readId: 'r', sending: 1, ttlMs: 6_000 })
})
