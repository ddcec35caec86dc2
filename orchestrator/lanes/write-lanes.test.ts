import t from 'tap'
import type { LaneLimits } from './lane.ts'
import type { PendingWrite } from './pending-writes.ts'
import { WriteLanes } from './write-lanes.ts'

const MIB = 1024 * 1024
const LIMITS: LaneLimits = {
  ...{ inFlightMax: 6, unconfirmedMax: 16, holdMs: 20, afterAnswersMs: 0, besideOthersMs: 0 },
  ...{ batchMax: 64, batchMaxBytes: MIB, waitingMax: 1_000, waitingMaxBytes: 64 * MIB },
  ...{ inFlightMaxBytes: 32 * MIB, clientInFlightMax: 256 }
}

function lanes() {
  const writes = new WriteLanes({ limits: LIMITS, hedgeMs: 300 })
  const told = new Map<string, string>()
  const ask = (requestId: string, { nowMs = 0, bytes = 100, client = 'a' } = {}) => {
    const statements = 'x'.repeat(bytes)
    const rest = { commandHash: 'h', mayRepeat: false, client, deadlineMs: nowMs + 10_000 }
    const caller = {
      answer: () => told.set(requestId, 'answered'),
      refuse: ({ code }: { code: string }) => told.set(requestId, code)
    }
    writes.ask({ requestId, statements, ...rest }, caller, nowMs)
  }
  const send = (nowMs: number) => {
    const sent: PendingWrite[] = []
    for (const { lane } of writes.roads) {
      for (let batch = lane.next(nowMs); batch; batch = lane.next(nowMs)) {
        lane.heard(batch)
        sent.push(...batch.items)
      }
    }
    for (const write of sent) writes.sent(write, 1, nowMs)
    return sent.map(({ requestId }) => requestId)
  }
  const answer = (id: string, nowMs: number) =>
    writes.heard({ id, status: 200, body: Buffer.alloc(0) }, nowMs)
  const count = (what: string) => [...told.values()].filter(one => one === what).length
  /** Large writes were answered quickly so far. */
  const isFast = () => {
    ask('before', { bytes: 10 * MIB, client: 'c' })
    send(-100)
    answer('before', -99)
    told.clear()
  }
  return { writes, told, ask, send, answer, count, isFast }
}

t.test('large writes have at most their share of the bytes on their way', async t => {
  const { writes, ask, send, answer, isFast } = lanes()
  isFast()
  for (let n = 0; n < 9; n++) ask(`${n}`, { bytes: 7 * MIB })
  t.strictSame(send(0), ['0', '1'])
  t.ok(writes.inFlightBytes <= 16 * MIB)
  ask('small', { client: 'b' })
  t.strictSame(send(1), ['small'], 'a small one passes them')
  answer('0', 500)
  t.strictSame(send(500), ['2'])
})

t.test('one that is larger than the share goes alone', async t => {
  const { ask, send, answer, isFast } = lanes()
  isFast()
  ask('huge', { bytes: 20 * MIB })
  ask('large', { bytes: MIB })
  t.strictSame(send(0), ['huge'])
  answer('huge', 100)
  t.strictSame(send(100), ['large'])
})

t.test('of large writes no more wait than are answered in time', async t => {
  const { writes, ask, send, answer, count, told } = lanes()
  // 7 MiB a second: of 20 at once, about five are done within half of the ten seconds.
  let nowMs = 0
  for (let i = 0; i < 10; i++) {
    ask(`first${i}`, { bytes: 7 * MIB, nowMs })
    send(nowMs)
    nowMs += 1_000
    answer(`first${i}`, nowMs)
  }
  told.clear()
  for (let n = 0; n < 20; n++) ask(`${n}`, { bytes: 7 * MIB, nowMs })
  const refused = count('CONVOY_OVERLOADED')
  t.ok(refused >= 14 && refused <= 16, `${refused} are refused at once`)
  for (const end = nowMs + 10_000; nowMs < end; nowMs += 1_000) {
    send(nowMs)
    writes.sweep(nowMs, 'up')
    for (const { requestId } of writes.all) {
      if (told.has(requestId)) continue
      answer(requestId, nowMs + 1_000)
      break
    }
  }
  t.equal(count('answered'), 20 - refused, 'and all that were let in are answered')
  t.equal(writes.size, 0)
})

t.test('what waits while others are answered is refused in time to ask again', async t => {
  const { writes, ask, send, answer, told } = lanes()
  for (let n = 0; n < 40; n++) ask(`${n}`)
  t.equal(send(0).length, 32, 'of a client that is not known yet')
  for (let nowMs = 100; nowMs <= 2_600; nowMs += 100) {
    answer(`${nowMs / 100}`, nowMs)
    writes.sweep(nowMs, 'up')
  }
  t.equal(told.get('39'), undefined)
  writes.sweep(2_700, 'up')
  t.equal(told.get('39'), 'CONVOY_OVERLOADED')
  t.equal(told.get('31'), undefined, 'one that was sent may be done')
})

t.test('while nothing is answered all that waits is kept', async t => {
  const { writes, ask, told } = lanes()
  for (let n = 0; n < 40; n++) ask(`${n}`)
  writes.sweep(9_000, 'down')
  t.equal(told.size, 0)
})

t.test('when RabbitMQ takes nothing, only what was sent is kept', async t => {
  const { writes, ask, send, told } = lanes()
  ask('sent')
  send(0)
  ask('waits')
  writes.sweep(1, 'blocked')
  t.strictSame([...told], [['waits', 'CONVOY_OVERLOADED']])
  writes.sweep(10_000, 'blocked')
  t.equal(told.get('sent'), 'CONVOY_UNKNOWN_OUTCOME')
})

t.test('a large write is sent again much later than a small one', async t => {
  const { writes, ask, send } = lanes()
  ask('small')
  ask('large', { bytes: 4 * MIB })
  send(0)
  writes.sweep(301, 'up')
  t.strictSame(send(301), ['small'])
  writes.sweep(5_000, 'up')
  t.notOk(send(5_000).includes('large'))
})
