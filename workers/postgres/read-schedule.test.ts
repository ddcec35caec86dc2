import t from 'tap'
import type { Pace } from '../../platform/shares/paces.ts'
import { ReadSchedule, type Slot, TOGETHER_MAX } from './read-schedule.ts'

interface Item {
  readonly client: string
  readonly cost: number
  readonly n: number
  pace: Pace
}

let n = 0
const read = (client: string, pace: Pace, cost = 1): Item => ({ client, pace, cost, n: n++ })
const schedule = (quick = 3, slow = 4) => new ReadSchedule<Item>({ quick, slow })

function fill(of: ReadSchedule<Item>): Slot<Item>[] {
  const slots: Slot<Item>[] = []
  for (let slot = of.next(); slot !== undefined; slot = of.next()) slots.push(slot)
  return slots
}
const kinds = (slots: readonly Slot<Item>[]) => slots.map(({ kind }) => kind).sort()
const clients = (slots: readonly Slot<Item>[]) => slots.map(({ client }) => client).sort()

t.test('quick reads of all clients share an exchange, in turn', async t => {
  const reads = schedule()
  for (let i = 0; i < 20; i++) reads.add(read('a', 'quick'))
  reads.add(read('b', 'quick'))
  const [first, second] = fill(reads)
  t.equal(first?.items.length, TOGETHER_MAX)
  t.ok(first?.items.some(({ client }) => client === 'b'))
  t.equal(second?.items.length, 5)
})

t.test('a read of an unknown text runs alone, and a quick slot is kept free of them', async t => {
  const reads = schedule()
  for (let i = 0; i < 10; i++) reads.add(read('a', 'unknown'))
  const slots = fill(reads)
  t.strictSame(kinds(slots), ['unknown', 'unknown'])
  t.strictSame(
    slots.map(({ items }) => items.length),
    [1, 1]
  )
  reads.add(read('b', 'quick'))
  t.strictSame(kinds(fill(reads)), ['quick'])
})

t.test('quick and unknown reads take turns where one slot is left', async t => {
  const reads = schedule(2)
  for (let i = 0; i < 2 * TOGETHER_MAX; i++) reads.add(read('a', 'quick'))
  for (let i = 0; i < 2; i++) reads.add(read('a', 'unknown'))
  const slots = fill(reads)
  t.strictSame(kinds(slots), ['quick', 'unknown'])
  for (const slot of slots) reads.ended(slot)
  t.strictSame(kinds(fill(reads)), ['quick', 'unknown'])
})

t.test('with a single quick slot, unknown reads run in slow slots', async t => {
  const reads = schedule(1, 2)
  reads.add(read('a', 'unknown'))
  t.strictSame(kinds(fill(reads)), ['slow'])
  reads.add(read('a', 'quick'))
  t.strictSame(kinds(fill(reads)), ['quick'])
})

t.test('one client gets half of the slow slots, and others get in', async t => {
  const reads = schedule()
  for (let i = 0; i < 5; i++) reads.add(read('a', 'slow'))
  t.strictSame(clients(fill(reads)), ['a', 'a'])
  reads.add(read('b', 'slow'))
  const [b] = fill(reads)
  t.equal(b?.client, 'b')
  reads.add(read('b', 'slow'))
  reads.add(read('c', 'slow'))
  t.strictSame(clients(fill(reads)), ['c'])
  if (b) reads.ended(b)
  t.strictSame(clients(fill(reads)), ['b'])
})

t.test('a single slow slot is for everybody', async t => {
  const reads = schedule(3, 1)
  reads.add(read('a', 'slow'))
  reads.add(read('b', 'slow'))
  const [a] = fill(reads)
  t.equal(a?.client, 'a')
  if (a) reads.ended(a)
  t.strictSame(clients(fill(reads)), ['b'])
})

t.test('a read that lasts gives its quick slot back', async t => {
  const reads = schedule()
  for (let i = 0; i < 4; i++) reads.add(read('a', 'unknown'))
  const slots = fill(reads)
  t.strictSame(
    slots.map(slot => reads.lasts(slot)),
    ['moved', 'moved']
  )
  t.strictSame(kinds(slots), ['slow', 'slow'])
  const more = fill(reads)
  t.strictSame(
    more.map(slot => reads.lasts(slot)),
    ['stop', 'stop'],
    'a has its share'
  )
  reads.add(read('b', 'unknown'))
  for (const slot of more) reads.ended(slot)
  t.strictSame(
    fill(reads).map(slot => reads.lasts(slot)),
    ['moved']
  )
})

t.test('reads that go together are stopped, for some are behind the one that lasts', async t => {
  const reads = schedule()
  reads.add(read('a', 'quick'))
  reads.add(read('a', 'quick'))
  const [slot] = fill(reads)
  t.equal(slot && reads.lasts(slot), 'stop')
})

t.test('quick slots come back though reads lie about their pace and do not stop', async t => {
  const reads = schedule()
  const lies = () =>
    [0, 1, 2].flatMap(() => {
      reads.add(read('a', 'quick'))
      return reads.next() ?? []
    })
  for (let round = 0; round < 2; round++) {
    for (const slot of lies()) {
      if (reads.lasts(slot) === 'stop') t.ok(reads.resists(slot))
    }
  }
  reads.add(read('b', 'quick'))
  t.equal(reads.next()?.client, 'b')
})

t.test('what waits is bounded, by the newest of the client that has most', async t => {
  const reads = schedule()
  const refused: Item[] = []
  for (let i = 0; i < 30; i++) refused.push(...reads.add(read('a', 'unknown')))
  t.equal(refused.length, 14)
  t.strictSame(
    reads.add(read('b', 'unknown')).map(({ client }) => client),
    ['a']
  )
  t.strictSame(
    fill(reads).map(({ client }) => client),
    ['a', 'b']
  )
  const message = Array.from({ length: 60 }, () => read('c', 'slow', 1 / 60))
  t.strictSame(
    message.flatMap(one => reads.add(one)),
    [],
    'a message counts as one'
  )
})

t.test('quick reads are never refused', async t => {
  const reads = schedule()
  for (let i = 0; i < 1_000; i++) t.strictSame(reads.add(read('a', 'quick')), [])
})

t.test('what was cut off goes ahead of its client', async t => {
  const reads = schedule()
  const [first, second] = [read('a', 'quick'), read('a', 'quick')]
  reads.add(second)
  reads.addFirst(first)
  t.strictSame(reads.next()?.items, [first, second])
})

t.test('unknown reads of a client whose reads are quick go together, with nobody else', async t => {
  const reads = new ReadSchedule<Item>({ quick: 3, slow: 4 }, client => client === 'a')
  for (let i = 0; i < 10; i++) {
    reads.add(read('a', 'unknown', 0.1))
    reads.add(read('b', 'unknown', 0.1))
  }
  const [first, second] = fill(reads)
  t.strictSame(
    first?.items.map(({ client }) => client),
    Array.from({ length: 8 }, () => 'a')
  )
  t.strictSame(
    second?.items.map(({ client }) => client),
    ['b']
  )
  t.equal(first && reads.lasts(first), 'stop', 'some are behind it')
})

t.test('a suspect goes with nobody', async t => {
  const reads = new ReadSchedule<Item & { alone?: boolean }>({ quick: 3, slow: 4 }, () => true)
  reads.add(read('a', 'unknown'))
  reads.add({ ...read('a', 'unknown'), alone: true })
  reads.add(read('a', 'unknown'))
  t.equal(reads.next()?.items.length, 1)
  t.equal(reads.next()?.items[0]?.alone, true)
})
