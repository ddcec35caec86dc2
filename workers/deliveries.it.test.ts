/**
 * What a master holds of `writeQ`, with a real RabbitMQ.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Channel, type ConsumeMessage, connect } from 'amqplib'
import t, { type Test } from 'tap'
import { startServices } from '../testing/environment.ts'
import { SHARED_QUEUE, WRITE_QUEUE } from '../wire/queues.ts'
import { nowMs } from './clock.ts'
import { Deliveries, type Delivery } from './deliveries.ts'

const services = await startServices()
t.teardown(() => services[Symbol.asyncDispose]())

async function channelFor(t: Test): Promise<Channel> {
  const connection = await connect(services.CONVOY_AMQP_URL, { noDelay: true })
  connection.on('error', () => {})
  t.teardown(() => connection.close().catch(() => {}))
  return connection.createChannel()
}

/** A master's deliveries while `count` messages wait, numbered from 0. */
async function holding(t: Test, count: number) {
  const channel = await channelFor(t)
  await channel.assertQueue(WRITE_QUEUE, SHARED_QUEUE)
  await channel.purgeQueue(WRITE_QUEUE)
  for (let i = 0; i < count; i++) channel.sendToQueue(WRITE_QUEUE, Buffer.from(String(i)))
  const held: Delivery[] = []
  const take = (message: ConsumeMessage | null) => {
    if (message === null) return
    const delivery = { message, replyTo: '', receivedMs: nowMs(), left: 1 }
    held.push(delivery)
    deliveries.add(delivery)
  }
  const consuming = await channelFor(t)
  const deliveries = new Deliveries(consuming, { term: 1, take })
  await deliveries.open()
  return { channel, consuming, deliveries, held }
}

async function until(is: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const endMs = nowMs() + 10_000
  while (!(await is())) {
    if (nowMs() > endMs) throw new Error(`waited 10 s for ${what}`)
    await sleep(10)
  }
}

/** What is delivered again when the channel has ended. */
async function givenBack(channel: Channel): Promise<number[]> {
  const given: number[] = []
  for (;;) {
    const message = await channel.get(WRITE_QUEUE, { noAck: true })
    if (message === false) return given.sort((a, b) => a - b)
    given.push(Number(message.content))
  }
}

t.test('a few messages are taken, and further ones when those are held up', async t => {
  const { deliveries, held } = await holding(t, 20)
  await until(() => held.length === 6, 'the first ones')
  deliveries.look(nowMs())
  await sleep(100)
  t.equal(held.length, 6, 'they have just come')
  deliveries.look(nowMs())
  await until(() => held.length === 20, 'all others')
})

t.test('no further ones are taken while the first are answered soon', async t => {
  const { deliveries, held } = await holding(t, 12)
  await until(() => held.length === 6, 'the first ones')
  deliveries.settle(held.slice(0, 6))
  await until(() => held.length === 12, 'the next ones')
  deliveries.look(nowMs())
  t.equal(held.length, 12)
})

t.test('messages are acknowledged in any order, each with its last answer', async t => {
  const { channel, consuming, deliveries, held } = await holding(t, 6)
  await until(() => held.length === 6, 'the messages')
  const [first, second, third, , , last] = held as [Delivery, Delivery, Delivery, 0, 0, Delivery]
  first.left = 2
  deliveries.settle([third, last, first])
  await consuming.close()
  const left = await givenBack(channel)
  t.strictSame(left, [0, 1, 3, 4], 'a half answered one comes again')
  t.equal(second.left, 1)
})

t.test('one acknowledgement is for all that stand first', async t => {
  const { channel, consuming, deliveries, held } = await holding(t, 6)
  await until(() => held.length === 6, 'the messages')
  deliveries.settle(held.slice(0, 4))
  await consuming.close()
  t.strictSame(await givenBack(channel), [4, 5])
})

t.test('the further consumer ends when there was room for long, and keeps what it has', async t => {
  const { channel, deliveries, held } = await holding(t, 20)
  await until(() => held.length === 6, 'the first ones')
  deliveries.look(nowMs() + 100)
  await until(() => held.length === 20, 'all others')
  const consumers = async () => (await channel.checkQueue(WRITE_QUEUE)).consumerCount
  t.equal(await consumers(), 2)
  deliveries.settle(held.slice(0, 19))
  const calmMs = nowMs()
  deliveries.look(calmMs)
  deliveries.look(calmMs + 1_000)
  await until(async () => (await consumers()) === 1, 'the consumer to end')
  deliveries.settle(held.slice(19))
})
