/**
 * Lanes against a real RabbitMQ. The test consumes the queues in the worker's place,
 * so that it decides who answers what, and when.
 */
import { connect } from 'amqplib'
import t, { type Test } from 'tap'
import { openLog } from '../../platform/log.ts'
import { startServices, type TestServices } from '../../testing/environment.ts'
import { READ_QUEUE, SHARED_QUEUE, STRONG_QUEUE, WRITE_QUEUE } from '../../wire/queues.ts'
import {
  decodeReads,
  decodeWrites,
  encodeReplies,
  type ReadCommand,
  type WriteCommand
} from '../../wire/requests.ts'
import { type Dispatch, type DispatchOptions, openDispatch } from './dispatch.ts'
import type { LaneLimits } from './lane.ts'

const log = openLog({ service: 'test', level: 'silent' })
const services = await startServices()
t.teardown(() => services[Symbol.asyncDispose]())

const LANES: LaneLimits = {
  afterAnswersMs: 0,
  besideOthersMs: 0,
  inFlightMax: 2,
  unconfirmedMax: 16,
  holdMs: 20,
  batchMax: 64,
  batchMaxBytes: 1_000_000,
  waitingMax: 100,
  waitingMaxBytes: 10_000_000
}

async function dispatchFor(t: Test, options: Partial<DispatchOptions> = {}): Promise<Dispatch> {
  const dispatch = openDispatch({
    url: services.CONVOY_AMQP_URL,
    orchestratorId: Math.random().toString(36).slice(2),
    log,
    lanes: LANES,
    hedgeMs: 300,
    ...options
  })
  t.teardown(() => dispatch[Symbol.asyncDispose]())
  await until(() => dispatch.up, 'the link to be up')
  return dispatch
}

async function until(is: () => boolean, what: string, ms = 15_000): Promise<void> {
  const endMs = performance.now() + ms
  while (!is()) {
    if (performance.now() > endMs) throw new Error(`waited ${ms} ms for ${what}`)
    await new Promise(resolve => setTimeout(resolve, 10))
  }
}

interface Delivery<C> {
  readonly commands: readonly C[]
  /** Answers all of them with their ids as the body. */
  answer(): void
  ack(): void
}

/** Stands where a worker stands: `deliver` decides about each message of `queue`. */
async function consume<C extends WriteCommand | ReadCommand>(
  t: Test,
  queue: string,
  deliver: (delivery: Delivery<C>) => void
): Promise<void> {
  const connection = await connect(services.CONVOY_AMQP_URL, { noDelay: true })
  connection.on('error', () => {})
  t.teardown(() => connection.close().catch(() => {}))
  const channel = await connection.createChannel()
  await channel.assertQueue(queue, SHARED_QUEUE)
  await channel.purgeQueue(queue)
  await channel.consume(queue, message => {
    if (message === null) return
    const { replyTo } = decodeWrites(message.content)
    const isWrite = queue === WRITE_QUEUE
    const commands = isWrite
      ? decodeWrites(message.content).commands
      : decodeReads(message.content).reads
    const idOf = (one: object) => String((one as never)[isWrite ? 'requestId' : 'readId'])
    const kind = isWrite ? 'write' : 'read'
    deliver({
      commands: commands as readonly C[],
      ack: () => channel.ack(message),
      answer: () => {
        const replies = commands.map(one => {
          return { id: idOf(one), kind, status: 200, body: `"${idOf(one)}"` } as const
        })
        for (const message of encodeReplies(replies)) channel.sendToQueue(replyTo, message)
      }
    })
  })
}

const write = (requestId: string) => ({
  requestId,
  commandHash: 'hash',
  statements: '[]',
  mayRepeat: false
})
const bodyOf = async (answer: Promise<{ body: Buffer }>) => String((await answer).body)

t.test('writes are answered, those asked at once in few messages', async t => {
  const sizes: number[] = []
  await consume<WriteCommand>(t, WRITE_QUEUE, delivery => {
    sizes.push(delivery.commands.length)
    delivery.answer()
    delivery.ack()
  })
  const dispatch = await dispatchFor(t)
  const ids = Array.from({ length: 50 }, (_, i) => `w${i}`)
  const answers = await Promise.all(ids.map(id => bodyOf(dispatch.write(write(id), 5_000))))
  t.strictSame(
    answers,
    ids.map(id => `"${id}"`)
  )
  t.ok(sizes.length <= 3, `${sizes.length} messages`)
  t.strictSame(dispatch.unanswered, { writes: 0, reads: 0 })
})

t.test('after the broker was killed, what is unanswered goes out again', async t => {
  const first: WriteCommand[] = []
  const dispatch = await dispatchFor(t)
  await consume<WriteCommand>(t, WRITE_QUEUE, ({ commands }) => first.push(...commands))
  const answers = ['a', 'b'].map(id => bodyOf(dispatch.write(write(id), 60_000)))
  await until(() => first.length === 2, 'both writes at the worker')
  services.kill('rabbitmq')
  await until(() => !dispatch.up, 'the link to be lost')
  await services.ready()
  await until(() => dispatch.up, 'the link to be up again', 30_000)
  const second: WriteCommand[] = []
  await consumeAgain(t, services, second)
  t.strictSame(await Promise.all(answers), ['"a"', '"b"'])
  t.strictSame(
    second.map(({ requestId, mayRepeat }) => [requestId, mayRepeat]),
    [
      ['a', true],
      ['b', true]
    ]
  )
})

/** Without emptying the queue: the copies are in it already. */
async function consumeAgain(t: Test, { CONVOY_AMQP_URL }: TestServices, seen: WriteCommand[]) {
  const connection = await connect(CONVOY_AMQP_URL, { noDelay: true })
  t.teardown(() => connection.close())
  const channel = await connection.createChannel()
  const answer = (message: { content: Buffer } | null) => {
    if (message === null) return
    const { replyTo, commands } = decodeWrites(message.content)
    seen.push(...commands)
    const replies = commands.map(({ requestId: id }) => {
      return { id, kind: 'write', status: 200, body: `"${id}"` } as const
    })
    for (const message of encodeReplies(replies)) channel.sendToQueue(replyTo, message)
  }
  await channel.consume(WRITE_QUEUE, answer, { noAck: true })
}

t.test('a new term sends writes and strong reads again', async t => {
  const writes: (boolean | undefined)[][] = []
  let strong = 0
  await consume<WriteCommand>(t, WRITE_QUEUE, delivery => {
    for (const { mayRepeat, suspect } of delivery.commands) writes.push([mayRepeat, suspect])
    if (writes.length === 2) delivery.answer()
  })
  await consume<ReadCommand>(t, STRONG_QUEUE, delivery => {
    strong += 1
    if (strong === 2) delivery.answer()
  })
  const dispatch = await dispatchFor(t, { hedgeMs: 60_000 })
  dispatch.follow({ term: 1, led: true, orderly: true })
  const answers = [
    dispatch.write(write('w'), 5_000),
    dispatch.read('strongQ', { sql: 'select 1', params: [] }, 5_000)
  ]
  await until(() => writes.length === 1 && strong === 1, 'both at the first master')
  dispatch.follow({ term: 2, led: true, orderly: false })
  await Promise.all(answers)
  t.strictSame(writes, [
    [false, undefined],
    [true, true]
  ])
})

t.test('a read that a frozen replica keeps is answered by the master', async t => {
  const dispatch = await dispatchFor(t, { hedgeMs: 100 })
  await consume<ReadCommand>(t, READ_QUEUE, () => {})
  let hedged: ReadCommand | undefined
  await consume<ReadCommand>(t, STRONG_QUEUE, delivery => {
    hedged = delivery.commands[0]
    delivery.answer()
  })
  const askedAtMs = performance.now()
  await dispatch.read('readQ', { sql: 'select $1', params: [7] }, 5_000)
  t.strictSame(hedged?.params, [7])
  t.ok(performance.now() - askedAtMs < 1_000)
})

t.test('a queue that nobody empties ends in 503s, and lanes do not hinder each other', async t => {
  const dispatch = await dispatchFor(t, { lanes: { ...LANES, batchMax: 1, inFlightMax: 1 } })
  await consume<ReadCommand>(t, READ_QUEUE, delivery => delivery.answer())
  const writes = Array.from({ length: 150 }, (_, i) => dispatch.write(write(`q${i}`), 500))
  const settled = Promise.allSettled(writes)
  await dispatch.read('readQ', { sql: 'select 1', params: [] }, 5_000)
  const outcomes = await settled
  const codes = outcomes.map(one => (one.status === 'rejected' ? one.reason.code : 'answered'))
  t.equal(codes.filter(code => code === 'CONVOY_OVERLOADED').length >= 50, true)
  t.ok(codes.includes('CONVOY_UNKNOWN_OUTCOME'), 'sent, and never answered')
  t.notOk(codes.includes('answered'))
})

t.test('what the broker refuses is told as overload', async t => {
  const dispatch = await dispatchFor(t, {
    lanes: { ...LANES, batchMax: 1, inFlightMax: 1_000, waitingMax: 30_000, unconfirmedMax: 50_000 }
  })
  const writes = Array.from({ length: 21_000 }, (_, i) => dispatch.write(write(`f${i}`), 4_000))
  const outcomes = await Promise.allSettled(writes)
  const refused = outcomes.filter(
    one => one.status === 'rejected' && one.reason.code === 'CONVOY_OVERLOADED'
  )
  t.ok(refused.length >= 500, `${refused.length} refused`)
})

t.test('of reads that nobody takes few go out, some wait, the rest is refused', async t => {
  const lanes = { ...LANES, batchMax: 1, inFlightMax: 1_000, waitingMax: 50 }
  const dispatch = await dispatchFor(t, { lanes, hedgeMs: 60_000 })
  const ask = (ttlMs: number) => dispatch.read('readQ', { sql: 'select 1', params: [] }, ttlMs)
  const sent = Array.from({ length: 50 }, () => ask(2_000))
  await until(() => dispatch.depths['readQ'] === 0, 'the first ones to be sent')
  const more = Array.from({ length: 100 }, () => ask(1_000))
  const outcomes = await Promise.allSettled([...sent, ...more])
  const codes = outcomes.map(one => (one.status === 'rejected' ? one.reason.code : 'answered'))
  t.equal(codes.filter(code => code === 'CONVOY_TIMEOUT').length, 64, 'went out')
  // Those that waited, and those that found no room.
  t.equal(codes.filter(code => code === 'CONVOY_OVERLOADED').length, 86)
})

t.test('deadlines: a write is unknown, a read timed out', async t => {
  const dispatch = await dispatchFor(t)
  await t.rejects(dispatch.write(write('d'), 100), {
    code: 'CONVOY_UNKNOWN_OUTCOME',
    details: { requestId: 'd' }
  })
  await t.rejects(dispatch.read('readQ', { sql: 'select 1', params: [] }, 100), {
    code: 'CONVOY_TIMEOUT'
  })
})

t.test('while RabbitMQ takes nothing, what was not sent is refused at once', async t => {
  const dispatch = await dispatchFor(t, { hedgeMs: 200 })
  const delivered: string[] = []
  await consume<WriteCommand>(t, WRITE_QUEUE, delivery => {
    delivered.push(...delivery.commands.map(({ requestId }) => requestId))
    if (!delivered.includes('before') || delivered.length > 1) delivery.answer()
  })
  const before = dispatch.write(write('before'), 10_000)
  await until(() => delivered.length === 1, 'the first to be sent')
  const overload = { code: 'CONVOY_OVERLOADED', retryAfterS: 1 }
  const waits = t.rejects(dispatch.write(write('waits'), 10_000), overload)
  dispatch.link?.publishConnection.emit('blocked', 'as RabbitMQ tells')
  const blockedAtMs = performance.now()
  await waits
  await t.rejects(dispatch.write(write('asked then'), 10_000), overload)
  await t.rejects(dispatch.read('readQ', { sql: 'select 1', params: [] }, 10_000), overload)
  t.ok(performance.now() - blockedAtMs < 200, 'long before the deadline')
  await new Promise(resolve => setTimeout(resolve, 300))
  t.strictSame(delivered, ['before'], 'nothing was sent, and nothing again')
  dispatch.link?.publishConnection.emit('unblocked')
  const after = dispatch.write(write('after'), 10_000)
  t.strictSame(await Promise.all([before, after].map(bodyOf)), ['"before"', '"after"'])
})

t.test('large writes are few on their way, and small ones pass them', async t => {
  const lanes = { ...LANES, inFlightMaxBytes: 8_000_000, waitingMaxBytes: 20_000_000 }
  const dispatch = await dispatchFor(t, { lanes })
  const text = (bytes: number) => JSON.stringify([{ sql: 'x'.repeat(bytes), params: [] }])
  let atOnce = 0
  let most = 0
  const late: (() => void)[] = []
  await consume<WriteCommand>(t, WRITE_QUEUE, delivery => {
    const isLarge = delivery.commands.some(({ requestId }) => requestId.startsWith('large'))
    if (!isLarge) return delivery.answer()
    atOnce += delivery.commands.length
    most = Math.max(most, atOnce)
    late.push(() => {
      atOnce -= delivery.commands.length
      delivery.ack()
      delivery.answer()
    })
  })
  const large = Array.from({ length: 10 }, (_, i) =>
    dispatch.write({ ...write(`large${i}`), statements: text(1_500_000) }, 10_000)
  )
  await until(() => atOnce === 2, 'as many as fit into half of the bytes')
  t.equal(await bodyOf(dispatch.write(write('small'), 10_000)), '"small"')
  let answered = 0
  for (const one of large) one.then(() => answered++, t.error)
  await until(() => {
    late.shift()?.()
    return answered === 10
  }, 'all to be answered')
  t.equal(most, 2)
})

t.test('a worker is told when a large reply is here', async t => {
  const dispatch = await dispatchFor(t)
  const connection = await connect(services.CONVOY_AMQP_URL, { noDelay: true })
  t.teardown(() => connection.close())
  const channel = await connection.createChannel()
  const { queue: takenQueue } = await channel.assertQueue('', { exclusive: true })
  const taken: string[] = []
  await channel.consume(takenQueue, message => taken.push(message?.properties.correlationId))
  await channel.assertQueue(READ_QUEUE, SHARED_QUEUE)
  await channel.purgeQueue(READ_QUEUE)
  await channel.consume(READ_QUEUE, message => {
    if (message === null) return
    const { replyTo, reads } = decodeReads(message.content)
    const replies = reads.map(({ readId: id }) => {
      return { id, kind: 'read', status: 200, body: '"large"' } as const
    })
    const properties = { replyTo: takenQueue, correlationId: '7' }
    for (const one of encodeReplies(replies)) channel.sendToQueue(replyTo, one, properties)
  })
  const answer = dispatch.read('readQ', { sql: 'select 1', params: [] }, 10_000)
  t.equal(await bodyOf(answer), '"large"')
  await until(() => taken.length > 0, 'the worker to be told')
  t.strictSame(taken, ['7'])
})

t.test('what the end of a channel leaves unconfirmed was refused by nobody', async t => {
  const delivered: string[] = []
  await consume<WriteCommand>(t, WRITE_QUEUE, ({ commands }) => {
    delivered.push(...commands.map(({ requestId }) => requestId))
  })
  const lanes = { ...LANES, inFlightMax: 10_000, unconfirmedMax: 10_000 }
  const dispatch = await dispatchFor(t, { lanes })
  const outcomes = new Map<string, string>()
  let stopped = false
  const stop = dispatch[Symbol.asyncDispose]().then(() => {
    stopped = true
  })
  for (let i = 0; !stopped; i++) {
    const told = (error: { code: string }) => outcomes.set(`s${i}`, error.code)
    dispatch.write(write(`s${i}`), 10_000).catch(told)
    await new Promise(resolve => setImmediate(resolve))
  }
  await stop
  await until(() => delivered.length > 0, 'what was sent before the end')
  t.strictSame(
    delivered.filter(id => outcomes.get(id) === 'CONVOY_OVERLOADED'),
    []
  )
})
