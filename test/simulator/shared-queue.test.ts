import t from 'tap'
import { Machine } from './cable.ts'
import { Process } from './process.ts'
import { type Connection, RabbitClient } from './rabbitmq-client.ts'
import type { Delivery } from './shared-queue.ts'
import { World } from './world.ts'

class Party extends Process {
  readonly machine = new Machine('m')
  connection: Connection | null = null

  constructor(world: World) {
    super(world)
    const listener = {
      up: (connection: Connection) => {
        this.connection = connection
      },
      down: () => {
        this.connection = null
      }
    }
    new RabbitClient(world, { process: this, machine: this.machine, listener })
  }

  consume(prefetch: number): Delivery[] {
    const taken: Delivery[] = []
    this.connection?.consume(this.world.rabbitmq.readQ, prefetch, one => taken.push(one))
    return taken
  }

  publish(replyTo: string): void {
    const body = { kind: 'reads', replyTo, reads: [] } as const
    this.connection?.publish(this.world.rabbitmq.readQ, { body, ttlMs: 10_000 })
  }
}

function pass(world: World, forMs: number): void {
  const untilMs = world.timeline.nowMs + forMs
  world.timeline.after(forMs, () => {})
  while (world.timeline.nowMs < untilMs && world.timeline.step());
}

const names = (taken: readonly Delivery[]) => taken.map(({ queued }) => queued.body.replyTo)

t.test('a queue deals in turn, and no consumer gets more than its prefetch', async t => {
  const world = new World(1, null)
  const parties = [new Party(world), new Party(world)] as const
  pass(world, 100)
  const [first, second] = [parties[0].consume(2), parties[1].consume(9)]
  for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) parties[0].publish(name)
  pass(world, 10)
  t.strictSame(
    [names(first).sort(), names(second).sort()],
    [
      ['a', 'c'],
      ['b', 'd', 'e', 'f']
    ]
  )
})

t.test('what a dead consumer has not acknowledged goes to another, marked', async t => {
  const world = new World(1, null)
  const parties = [new Party(world), new Party(world)] as const
  pass(world, 100)
  parties[0].consume(9)
  for (const name of ['a', 'b']) parties[1].publish(name)
  pass(world, 10)
  parties[0].die()
  pass(world, 10)
  const taken = parties[1].consume(9)
  pass(world, 10)
  t.strictSame(names(taken).sort(), ['a', 'b'])
  t.ok(taken.every(({ redelivered }) => redelivered))
})

t.test('over a blocked way nothing arrives, and all of it when the way is free again', async t => {
  const world = new World(1, null)
  const parties = [new Party(world), new Party(world)] as const
  pass(world, 100)
  const taken = parties[1].consume(9)
  parties[0].machine.rabbit.cut('out')
  parties[0].publish('a')
  pass(world, 10)
  t.strictSame(names(taken), [])
  parties[0].machine.rabbit.mend()
  pass(world, 10)
  t.strictSame(names(taken), ['a'])
})
