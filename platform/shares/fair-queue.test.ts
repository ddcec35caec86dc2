import t from 'tap'
import { FairQueue } from './fair-queue.ts'

interface Item {
  readonly client: string
  readonly cost: number
  readonly n: number
}

const item = (client: string, n: number, cost = 1): Item => ({ client, n, cost })
const all = (queue: FairQueue<Item>) => {
  const taken: string[] = []
  for (let one = queue.take(); one !== undefined; one = queue.take()) {
    taken.push(`${one.client}${one.n}`)
  }
  return taken
}

t.test('clients take turns, and each keeps its order', async t => {
  const queue = new FairQueue<Item>()
  for (let n = 0; n < 4; n++) queue.add(item('a', n))
  queue.add(item('b', 0))
  queue.add(item('c', 0))
  queue.add(item('b', 1))
  t.strictSame(all(queue), ['a0', 'b0', 'c0', 'a1', 'b1', 'a2', 'a3'])
  t.strictSame([queue.size, queue.cost, queue.clients], [0, 0, 0])
})

t.test('whoever may have nothing is passed over and keeps its turn', async t => {
  const queue = new FairQueue<Item>()
  for (const client of ['a', 'b', 'a', 'b']) queue.add(item(client, queue.size))
  t.equal(queue.take(client => client === 'b')?.n, 1)
  t.equal(queue.take()?.n, 0)
  t.equal(
    queue.take(() => false),
    undefined
  )
  t.equal(queue.size, 2)
})

t.test('what had its turn before goes ahead of its client only', async t => {
  const queue = new FairQueue<Item>()
  queue.add(item('a', 1))
  queue.add(item('b', 1))
  queue.addFirst(item('a', 0))
  t.strictSame([queue.size, queue.cost], [3, 3])
  t.strictSame(all(queue), ['b1', 'a0', 'a1'])
})

t.test('a full queue lets in whoever has less than another, whose newest leave', async t => {
  const queue = new FairQueue<Item>()
  const room = { items: 4, cost: 1_000 }
  for (let n = 0; n < 4; n++) {
    t.strictSame(queue.makeRoom(item('a', n), room), [])
    queue.add(item('a', n))
  }
  t.equal(queue.makeRoom(item('a', 4), room), undefined, 'nobody has more than a')
  const first = queue.makeRoom(item('b', 0), room)
  t.strictSame(
    first?.map(one => one.n),
    [3]
  )
  queue.add(item('b', 0))
  t.strictSame(
    queue.makeRoom(item('b', 1), room)?.map(one => one.n),
    [2]
  )
  queue.add(item('b', 1))
  t.equal(queue.makeRoom(item('b', 2), room), undefined, 'both have their half')
  t.strictSame(queue.makeRoom(item('c', 0), room)?.length, 1)
})

t.test('room is counted in cost too, and a single item always fits', async t => {
  const queue = new FairQueue<Item>()
  const room = { items: 100, cost: 10 }
  t.strictSame(queue.makeRoom(item('a', 0, 50), room), [])
  for (let n = 0; n < 3; n++) queue.add(item('a', n, 3))
  t.equal(queue.makeRoom(item('a', 3, 3), room), undefined)
  t.equal(queue.makeRoom(item('b', 0, 9), room), undefined, 'it would have more than a')
  t.strictSame(
    queue.makeRoom(item('b', 0, 5), room)?.map(one => one.n),
    [2, 1]
  )
  t.equal(queue.cost, 3)
  queue.add(item('a', 1, 3))
  t.equal(queue.makeRoom(item('b', 0, 20), room), undefined)
  t.equal(queue.cost, 6, 'what did not help has not left')
})
