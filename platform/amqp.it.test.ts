import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { startServices } from '../testing/environment.ts'
import { type Amqp, type AmqpLink, openAmqp } from './amqp.ts'
import { openLog } from './log.ts'

const services = await startServices()
t.teardown(() => services[Symbol.asyncDispose]())
const log = openLog({ service: 'test', level: 'silent' })
const RESTART_MS = 40_000

async function until(what: string, condition: () => boolean) {
  const deadline = performance.now() + RESTART_MS
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`waited in vain until ${what}`)
    await sleep(10)
  }
}

interface Options {
  url?: string
  setup?: (link: AmqpLink) => Promise<void>
}

let queues = 0

/** A link that consumes what it publishes, with a list of what happened to it. */
function open(t: Test, options: Options = {}) {
  const { url = services.CONVOY_AMQP_URL, setup } = options
  const queue = `queue ${++queues}`
  const told: string[] = []
  const received: string[] = []
  const amqp = openAmqp({
    url,
    name: 'test',
    log,
    async setup(link) {
      told.push('setup')
      if (setup !== undefined) return setup(link)
      await link.consuming.assertQueue(queue, { durable: false, autoDelete: true })
      await link.consuming.consume(queue, message => {
        if (message !== null) received.push(message.content.toString())
      })
    },
    down: () => told.push('down')
  })
  t.teardown(() => amqp[Symbol.asyncDispose]())
  const echo = async (text: string) => {
    amqp.link?.publishing.sendToQueue(queue, Buffer.from(text))
    await until(`${text} is received`, () => received.includes(text))
  }
  return { amqp, queue, told, received, echo }
}

const up = (amqp: Amqp) => until('the link is up', () => amqp.up)

t.test('what is published is consumed, at once', async t => {
  const { amqp, echo } = open(t)
  await up(amqp)
  await echo('first')
  const startedAt = performance.now()
  for (let i = 0; i < 10; i++) await echo(`message ${i}`)
  const eachMs = (performance.now() - startedAt) / 10
  t.ok(eachMs < 35, `${eachMs.toFixed(1)} ms each; 40 and more without noDelay`)
})

t.test('a dropped link is told once, and dialled again under another name', async t => {
  const { amqp, told, echo } = open(t)
  await up(amqp)
  const n = amqp.link?.n
  amqp.drop()
  amqp.drop()
  t.equal(amqp.up, false, 'down at once')
  t.strictSame(told, ['setup', 'down'])
  await up(amqp)
  t.not(amqp.link?.n, n)
  await echo('again')
  t.strictSame(told, ['setup', 'down', 'setup'])
})

t.test('the end of one channel ends all, and all come back', async t => {
  for (const channel of ['publishing', 'consuming'] as const) {
    const { amqp, told, echo } = open(t)
    await up(amqp)
    // The broker closes a channel that asks for what is not there.
    await t.rejects(async () => amqp.link?.[channel].checkQueue('no such queue'))
    t.equal(amqp.up, false)
    await up(amqp)
    await echo(channel)
    t.strictSame(told, ['setup', 'down', 'setup'])
  }
})

t.test('a setup that fails is tried again', async t => {
  let attempts = 0
  const { amqp, told } = open(t, {
    setup: async () => {
      attempts += 1
      if (attempts < 3) throw new Error('not yet')
    }
  })
  await up(amqp)
  t.strictSame(told, ['setup', 'down', 'setup', 'down', 'setup'])
})

t.test('a broker that dies and comes back finds its clients again', async t => {
  const { amqp, told, echo } = open(t)
  await up(amqp)
  services.kill('rabbitmq')
  await until('it is noticed', () => !amqp.up)
  t.strictSame(told, ['setup', 'down'])
  await services.ready()
  await up(amqp)
  await echo('after the restart')
})

t.test('a broker that falls silent is noticed within a second or so', async t => {
  const { amqp, told, echo } = open(t)
  await up(amqp)
  services.kill('rabbitmq', 'SIGSTOP')
  const stoppedAt = performance.now()
  await until('it is noticed', () => !amqp.up)
  const tookMs = performance.now() - stoppedAt
  services.kill('rabbitmq', 'SIGCONT')
  t.ok(tookMs < 3_000, `${Math.round(tookMs)} ms`)
  await up(amqp)
  await echo('after the silence')
  t.equal(told.filter(event => event === 'down').length, 1)
})

t.test('without a broker it waits, and can be closed', async t => {
  const { amqp, told } = open(t, { url: 'amqp://nobody:there@127.0.0.1:1/' })
  await sleep(200)
  t.equal(amqp.up, false)
  await amqp[Symbol.asyncDispose]()
  t.strictSame(told, [])
})

t.test('what was published last is sent before it closes', async t => {
  const receiver = open(t)
  const sender = open(t)
  await Promise.all([up(receiver.amqp), up(sender.amqp)])
  for (let i = 0; i < 500; i++) {
    sender.amqp.link?.publishing.sendToQueue(receiver.queue, Buffer.from(`word ${i}`))
  }
  await sender.amqp[Symbol.asyncDispose]()
  await until('all is received', () => receiver.received.length === 500)
  t.strictSame(sender.told, ['setup', 'down'])
})

t.test('it closes at once, also where a channel that ends with it wants another link', async t => {
  let drop = () => {}
  const { amqp, told } = open(t, {
    setup: async ({ consuming, publishConnection }) => {
      await consuming.assertQueue('', { exclusive: true }) // it takes longer to leave
      const channel = await publishConnection.createChannel()
      channel.on('close', () => drop())
    }
  })
  drop = () => amqp.drop()
  await up(amqp)
  const beganAt = performance.now()
  await amqp[Symbol.asyncDispose]()
  const tookMs = performance.now() - beganAt
  t.ok(tookMs < 500, `${Math.round(tookMs)} ms`)
  t.strictSame(told, ['setup', 'down'])
})
