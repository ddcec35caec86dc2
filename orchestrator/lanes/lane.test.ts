import t from 'tap'
import { Lane, type LaneLimits } from './lane.ts'

const LIMITS: LaneLimits = {
  inFlightMax: 2,
  unconfirmedMax: 4,
  holdMs: 20,
  afterAnswersMs: 0,
  besideOthersMs: 0,
  batchMax: 3,
  batchMaxBytes: 100,
  waitingMax: 5,
  waitingMaxBytes: 1_000
}

interface Item {
  readonly name: string
  readonly bytes: number
  readonly client?: string
}

const item = (name: string, bytes = 1): Item => ({ name, bytes })
const items = (...names: string[]) => names.map(name => item(name))
const names = (batch: { items: readonly Item[] } | undefined) => batch?.items.map(one => one.name)

function laneWith(waiting: readonly Item[], limits: Partial<LaneLimits> = {}) {
  const lane = new Lane<Item>({ ...LIMITS, ...limits })
  for (const one of waiting) lane.offer(one)
  return lane
}

t.test('an idle lane sends at once', async t => {
  t.strictSame(names(laneWith(items('a')).next(0)), ['a'])
  t.equal(laneWith([]).next(0), undefined)
})

t.test('a busy lane gathers, and sends what gathered when a batch is answered', async t => {
  const [a, b, c, d] = items('a', 'b', 'c', 'd')
  const lane = laneWith([a!])
  lane.next(0)
  lane.offer(b!)
  lane.next(0)
  lane.offer(c!)
  lane.offer(d!)
  t.equal(lane.next(1), undefined, 'both places are held')
  lane.settle(a!)
  t.strictSame(names(lane.next(2)), ['c', 'd'])
})

t.test('a batch keeps its place until all of it is answered', async t => {
  const [a, b, c] = items('a', 'b', 'c')
  const lane = laneWith([a!, b!], { inFlightMax: 1 })
  lane.next(0)
  lane.offer(c!)
  lane.settle(a!)
  t.equal(lane.next(1), undefined)
  lane.settle(b!)
  t.strictSame(names(lane.next(2)), ['c'])
})

t.test('a slow request stops those behind it no longer than holdMs', async t => {
  const lane = laneWith(items('slow'), { inFlightMax: 1 })
  lane.next(0)
  lane.offer(item('quick'))
  t.equal(lane.next(19), undefined)
  t.strictSame(names(lane.next(20)), ['quick'])
})

t.test('batches are bounded in number and bytes, and one large request goes alone', async t => {
  const lane = laneWith(items('a', 'b', 'c', 'd'))
  t.strictSame(names(lane.next(0)), ['a', 'b', 'c'])
  const large = laneWith([item('a', 60), item('b', 60), item('huge', 500)], { inFlightMax: 9 })
  t.strictSame(names(large.next(0)), ['a'])
  t.strictSame(names(large.next(0)), ['b'])
  t.strictSame(names(large.next(0)), ['huge'])
})

t.test('a full lane refuses, by number and by bytes', async t => {
  const lane = laneWith(items('1', '2', '3', '4', '5'))
  t.equal(lane.offer(item('6')), false)
  lane.next(0)
  t.equal(lane.offer(item('6')), true)
  const heavy = laneWith([item('a', 900)])
  t.equal(heavy.offer(item('b', 101)), false)
  t.equal(heavy.offer(item('c', 100)), true)
  t.equal(laneWith([]).offer(item('huge', 5_000)), true, 'an empty lane takes any one')
})

t.test('nothing more is sent while the broker confirms nothing', async t => {
  const lane = laneWith(items('a'), { unconfirmedMax: 1 })
  const batch = lane.next(0)
  lane.offer(item('b'))
  t.equal(lane.next(1_000), undefined)
  lane.heard(batch!)
  t.strictSame(names(lane.next(1_000)), ['b'])
})

t.test('what became of one request tells that the broker took its batch', async t => {
  const [a, b] = items('a', 'b')
  const lane = laneWith([a!, b!], { unconfirmedMax: 1 })
  lane.next(0)
  lane.offer(item('c'))
  t.equal(lane.next(1_000), undefined)
  lane.settle(a!)
  t.strictSame(names(lane.next(1_000)), ['c'])
})

t.test('a batch that was sent again counts once', async t => {
  const [a] = items('a')
  const lane = laneWith([a!], { unconfirmedMax: 2 })
  lane.next(0)
  lane.again([a!])
  lane.next(1_000)
  t.equal(lane.unconfirmed, 1)
  lane.settle(a!)
  t.equal(lane.unconfirmed, 0)
})

t.test('what is sent again goes ahead of what waits, once, and in its order', async t => {
  const [a, b, c] = items('a', 'b', 'c')
  const lane = laneWith([a!, b!])
  lane.next(0)
  lane.offer(c!)
  lane.disconnect()
  lane.again([a!, b!, c!])
  t.equal(lane.depth, 3)
  t.strictSame(names(lane.next(1)), ['a', 'b', 'c'])
})

t.test('what is settled while it waits is not sent', async t => {
  const [a, b] = items('a', 'b')
  const lane = laneWith([a!, b!])
  lane.settle(a!)
  t.strictSame(names(lane.next(0)), ['b'])
})

t.test('after a disconnect no place is held', async t => {
  const lane = laneWith(items('a'), { inFlightMax: 1, unconfirmedMax: 1 })
  lane.next(0)
  lane.offer(item('b'))
  lane.disconnect()
  t.strictSame(names(lane.next(0)), ['b'])
})

t.test('after answers a lane waits a moment for as many requests as were answered', async t => {
  const [a, b, c, d] = items('a', 'b', 'c', 'd')
  const lane = laneWith([a!, b!], { afterAnswersMs: 2 })
  lane.next(0)
  lane.answered(a!, 10)
  lane.answered(b!, 10)
  lane.offer(c!)
  t.equal(lane.next(10.5), undefined)
  t.equal(lane.gathersUntilMs(10.5), 12)
  lane.offer(d!)
  t.strictSame(names(lane.next(11)), ['c', 'd'], 'as soon as they are there')
  lane.answered(c!, 20)
  lane.answered(d!, 20)
  lane.offer(item('e'))
  t.strictSame(names(lane.next(22)), ['e'], 'and no longer')
})

t.test('one who asks again alone does not wait', async t => {
  const lane = laneWith(items('a'), { afterAnswersMs: 2, besideOthersMs: 10 })
  for (let nowMs = 0; nowMs < 3; nowMs++) {
    const batch = lane.next(nowMs)
    t.ok(batch)
    lane.answered(batch!.items[0]!, nowMs + 0.5)
    lane.offer(item('again'))
  }
})

t.test('beside a batch as many gather as it holds, or for so long', async t => {
  const [a, b] = items('a', 'b')
  const lane = laneWith([a!, b!], { besideOthersMs: 10, inFlightMax: 3 })
  lane.next(0)
  lane.offer(item('c'))
  t.equal(lane.next(9), undefined)
  t.equal(lane.gathersUntilMs(9), 10)
  lane.settle(a!)
  t.strictSame(names(lane.next(9)), ['c'], 'as many as are under way')
  lane.offer(item('d'))
  t.equal(lane.next(18), undefined)
  t.strictSame(names(lane.next(19)), ['d'], 'its time has come')
})

t.test('a full batch waits for nobody', async t => {
  const lane = laneWith(items('a', 'b', 'c'), { besideOthersMs: 10, inFlightMax: 2 })
  lane.next(0)
  for (const one of items('d', 'e', 'f')) lane.offer(one)
  t.strictSame(names(lane.next(0)), ['d', 'e', 'f'])
})

const of = (client: string, name: string): Item => ({ name, bytes: 1, client })

t.test('clients have their turns in a batch, each with its own in order', async t => {
  const lane = laneWith([of('a', 'a1'), of('a', 'a2'), of('a', 'a3'), of('b', 'b1')])
  t.strictSame(names(lane.next(0)), ['a1', 'b1', 'a2'])
})

t.test('no client has more in flight than its share', async t => {
  const [a1, a2] = [of('a', 'a1'), of('a', 'a2')]
  const lane = laneWith([a1, a2, of('a', 'a3'), of('b', 'b1')], {
    clientInFlightMax: 2,
    inFlightMax: 9
  })
  t.strictSame(names(lane.next(0)), ['a1', 'b1', 'a2'])
  t.equal(lane.next(0), undefined)
  lane.settle(a1)
  t.strictSame(names(lane.next(0)), ['a3'])
  lane.disconnect()
  lane.again([a2])
  lane.offer(of('a', 'a4'))
  lane.offer(of('a', 'a5'))
  t.strictSame(names(lane.next(0)), ['a2', 'a4', 'a5'], 'what is sent again counts for nobody')
})

t.test('in a full lane a client with more makes room for one with less', async t => {
  const left: string[] = []
  const lane = new Lane<Item>({ ...LIMITS, batchMax: 9 }, ({ name }) => left.push(name))
  for (const name of ['a1', 'a2', 'a3', 'a4', 'a5']) t.ok(lane.offer(of('a', name)))
  t.equal(lane.offer(of('a', 'a6')), false, 'its own are in its way')
  t.ok(lane.offer(of('b', 'b1')))
  t.ok(lane.offer(of('c', 'c1')))
  t.strictSame(left, ['a5', 'a4'])
  t.equal(lane.depth, 5)
  t.strictSame(names(lane.next(0)), ['a1', 'b1', 'c1', 'a2', 'a3'])
})
