/**
 * Reads on their way, with the workers' answers and notes made up here.
 */
import t from 'tap'
import { type ReadFields, ReadLanes } from './read-lanes.ts'

const LIMITS = {
  ...{ afterAnswersMs: 0, besideOthersMs: 0, inFlightMax: 1_000, unconfirmedMax: 1_000 },
  ...{ holdMs: 20, batchMax: 64, batchMaxBytes: 1e6, waitingMax: 100, waitingMaxBytes: 1e7 }
}
const HEDGE_MS = 300

function lanes(onHarmful: () => void = () => {}) {
  const reads = new ReadLanes({ limits: LIMITS, hedgeMs: HEDGE_MS, onHarmful })
  const told = new Map<string, string>()
  const ask = (name: string, fields: ReadFields, nowMs = 0, deadlineMs = 1e6) =>
    reads.ask(
      'readQ',
      { params: [], ...fields },
      {
        ...{ nowMs, deadlineMs },
        caller: {
          answer: ({ status }) => told.set(name, String(status)),
          refuse: ({ code }) => told.set(name, code)
        }
      }
    )
  /** Messages that go out now, as texts of their reads. */
  const send = (nowMs = 0) =>
    reads.roads.flatMap(({ queue, lane, fill }) => {
      fill(nowMs)
      const batch = lane.next(nowMs)
      if (batch === undefined) return []
      for (const read of batch.items) reads.sent(read, queue, nowMs)
      return [{ queue, reads: batch.items }]
    })
  const answer = (readId: string, fields = {}, nowMs = 0) => {
    reads.heard({ id: readId, status: 200, body: Buffer.from('{}'), ...fields }, nowMs)
  }
  const note = (readId: string, note: 'begun' | 'running' | 'busy' | 'returned', at = {}) => {
    const { sending = 1, nowMs = 0 } = at as { sending?: number; nowMs?: number }
    reads.heard({ id: readId, status: 0, body: Buffer.alloc(0), note, sending }, nowMs)
  }
  return { reads, told, ask, send, answer, note }
}

t.test('quick reads and others are never in one message', async t => {
  const { ask, send, answer } = lanes()
  ask('a', { client: 'c', sql: 'quick' })
  for (const { reads } of send()) for (const { readId } of reads) answer(readId)
  ask('b', { client: 'c', sql: 'quick' })
  ask('d', { client: 'c', sql: 'unknown' })
  ask('e', { client: 'd', sql: 'quick' })
  t.strictSame(
    send().map(({ reads }) => reads.map(({ client, sql }) => `${client} ${sql}`)),
    [['c quick'], ['c unknown', 'd quick']],
    'quick for c is unknown for d'
  )
})

t.test('of what one client asks little is on its way, until it proves to be quick', async t => {
  const { ask, send, answer } = lanes()
  for (let n = 0; n < 90; n++) ask(`${n}`, { client: 'a', sql: `${n}` })
  for (let n = 0; n < 5; n++) ask(`b${n}`, { client: 'b', sql: `${n}` })
  const [first] = send()
  const countOf = (client: string) => first?.reads.filter(read => read.client === client).length
  t.strictSame([countOf('a'), countOf('b')], [8, 5])
  for (const { readId } of first?.reads ?? []) answer(readId)
  t.equal(send()[0]?.reads.length, 16, 'twice as many')
})

t.test('reads that last make room for others of their client, up to a few', async t => {
  const { ask, send, note } = lanes()
  for (let n = 0; n < 90; n++) ask(`${n}`, { client: 'a', sql: `${n}` })
  for (const { readId } of send()[0]?.reads ?? []) note(readId, 'running')
  t.equal(send()[0]?.reads.length, 2)
})

t.test(
  'what a worker is too busy for is sent again later, behind nobody of its client',
  async t => {
    const { ask, send, note, told, reads, answer } = lanes()
    ask('first', { client: 'a', sql: 'x' })
    const [sent] = send()
    const { readId = '' } = sent?.reads[0] ?? {}
    ask('second', { client: 'a', sql: 'y' })
    note(readId, 'busy')
    t.strictSame(send(1), [], 'not at once')
    t.strictSame(
      send(60)[0]?.reads.map(({ sql }) => sql),
      ['x', 'y']
    )
    note(readId, 'busy', { nowMs: 60 })
    t.strictSame(send(200), [], 'a note about a sending of before means nothing')
    answer(readId, {}, 61)
    t.equal(told.get('first'), '200')
    ask('third', { client: 'a', sql: 'z' }, 0, 300)
    const [third] = send(200)
    note(third?.reads[0]?.readId ?? '', 'busy', { nowMs: 250 })
    reads.sweep(300, true)
    t.equal(told.get('third'), 'CONVOY_OVERLOADED', 'nothing was executed')
  }
)

t.test('a read that a worker says it has is not sent twice; silence is', async t => {
  const { ask, send, note, reads } = lanes()
  ask('a', { client: 'a', sql: 'x' })
  const { readId = '' } = send()[0]?.reads[0] ?? {}
  for (let nowMs = 100; nowMs <= 3_000; nowMs += 100) {
    note(readId, 'running', { nowMs })
    reads.sweep(nowMs, true)
    t.strictSame(send(nowMs), [])
  }
  reads.sweep(3_000 + HEDGE_MS, true)
  t.strictSame(
    send(3_300).map(({ queue }) => queue),
    ['strongQ']
  )
})

t.test('slow answers do not make a frozen worker go unnoticed', async t => {
  const { ask, send, answer, reads } = lanes()
  for (let n = 0; n < 50; n++) {
    ask(`${n}`, { client: 'a', sql: 'x' })
    for (const { reads } of send()) {
      for (const { readId } of reads) answer(readId, { tookMs: 4_000 }, 4_001)
    }
  }
  ask('late', { client: 'b', sql: 'y' })
  send()
  reads.sweep(HEDGE_MS, true)
  t.strictSame(
    send(HEDGE_MS).map(({ queue }) => queue),
    ['strongQ']
  )
})

t.test('a read that ended two workers goes to no third, others do', async t => {
  let harmful = 0
  const { ask, send, note, answer, told } = lanes(() => {
    harmful += 1
  })
  ask('harmful', { client: 'a', sql: 'x' })
  ask('bystander', { client: 'a', sql: 'y' })
  const [sent] = send()
  const [one = '', two = ''] = (sent?.reads ?? []).map(({ readId }) => readId)
  for (const id of [one, two]) note(id, 'returned')
  const [again] = send()
  t.ok(again?.reads.every(({ suspect }) => suspect))
  note(one, 'begun', { sending: 2 })
  for (const id of [one, two]) note(id, 'returned', { sending: 2 })
  t.equal(told.get('harmful'), 'CONVOY_REQUEST_HARMFUL')
  t.equal(harmful, 1)
  t.strictSame(
    send()[0]?.reads.map(({ sql }) => sql),
    ['y'],
    'it had not begun'
  )
  answer(two)
  t.equal(told.get('bystander'), '200')
  ask('again', { client: 'b', sql: 'x' }, 1_000)
  t.equal(told.get('again'), 'CONVOY_REQUEST_HARMFUL')
  ask('other', { client: 'b', sql: 'x', params: [1] }, 1_000)
  ask('later', { client: 'b', sql: 'x' }, 700_000)
  t.equal(send()[0]?.reads.length, 2)
})

t.test('a suspect that its worker gives back has harmed nobody', async t => {
  const { ask, send, note, told } = lanes()
  ask('a', { client: 'a', sql: 'x' })
  const { readId = '' } = send()[0]?.reads[0] ?? {}
  note(readId, 'returned')
  send()
  note(readId, 'begun', { sending: 2 })
  note(readId, 'busy', { sending: 2 })
  send(60)
  note(readId, 'returned', { sending: 3, nowMs: 60 })
  t.equal(told.size, 0)
  t.equal(send(120)[0]?.reads.length, 1)
})

t.test('a full lane lets in whoever has less waiting than another', async t => {
  const { ask, told, reads } = lanes()
  for (let n = 0; n < 150; n++) ask(`a${n}`, { client: 'a', sql: 'x' })
  t.equal([...told.values()].filter(code => code === 'CONVOY_OVERLOADED').length, 50)
  ask('b', { client: 'b', sql: 'x' })
  t.equal(told.get('b'), undefined)
  t.equal(told.get('a99'), 'CONVOY_OVERLOADED')
  t.equal(reads.depthOf('readQ'), 100)
})

t.test('after a new link all that was sent goes out again, each once', async t => {
  const { ask, send, reads } = lanes()
  for (let n = 0; n < 20; n++) ask(`${n}`, { client: 'a', sql: `${n}` })
  send()
  reads.disconnected()
  reads.connected()
  t.equal(send()[0]?.reads.length, 8)
})
