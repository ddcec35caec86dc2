import t from 'tap'
import { LargeBodies } from './large-bodies.ts'

t.test('bodies are taken up to the room, and half of it for one client', async t => {
  const bodies = new LargeBodies(() => 100)
  const taken = (client: string, bytes: number) => bodies.take(client, bytes)
  t.strictSame([taken('a', 25), taken('a', 25), taken('a', 25)], [true, true, false])
  t.strictSame([taken('b', 50), taken('b', 10)], [true, false])
  t.equal(taken('c', 60), true, 'one that has none gets in all the same')
  t.equal(taken('d', 60), false, 'within bounds')
  t.equal(bodies.bytes, 160)
  bodies.letGo('a', 25)
  t.equal(taken('d', 60), true)
  t.equal(taken('a', 25), false, 'who has some waits for room')
})

t.test('one alone may be larger than the room', async t => {
  const bodies = new LargeBodies(() => 0)
  t.equal(bodies.take('a', 50), true)
  t.equal(bodies.take('a', 50), false)
  t.equal(bodies.take('b', 50), false)
  bodies.letGo('a', 50)
  t.equal(bodies.take('b', 50), true)
})
