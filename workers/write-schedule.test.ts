import t from 'tap'
import { type Schedulable, WriteSchedule } from './write-schedule.ts'

interface Item extends Schedulable {
  readonly id: string
}

const item = (id: string, more: Partial<Item> = {}): Item => {
  return { id, client: id.charAt(0), suspect: false, expiresAtMs: 10_000, ...more }
}

function scheduleOf(...ids: readonly string[]) {
  const schedule = new WriteSchedule<Item>()
  for (const id of ids) schedule.add(item(id))
  return schedule
}

function next(schedule: WriteSchedule<Item>, nowMs = 0): string[] {
  const picked = schedule.next(nowMs)
  if (picked === undefined) return []
  return picked.kind === 'alone' ? ['alone', picked.item.id] : picked.items.map(({ id }) => id)
}

const PATIENCE_MS = 1_000

/** Executes what is picked; a store postpones the rest when others wait for too long. */
function run(schedule: WriteSchedule<Item>, nowMs: number, msOf: (client: string) => number) {
  const picked = schedule.next(nowMs)
  if (picked === undefined) return { ids: [], ms: 0 }
  const items = picked.kind === 'alone' ? [picked.item] : picked.items
  let ms = 0
  let done = 0
  for (; done < items.length && ms < PATIENCE_MS; done++) ms += msOf(items[done]?.client ?? '')
  schedule.putBack(items.slice(done))
  schedule.took(items.slice(0, done), ms, nowMs + ms)
  return { ids: items.slice(0, done).map(({ id }) => id), ms }
}

t.test('quick writes of all clients share a batch, in turn, each in its own order', async t => {
  const schedule = scheduleOf('a1', 'a2', 'a3', 'b1', 'c1', 'c2')
  t.strictSame(next(schedule), ['a1', 'b1', 'c1', 'a2', 'c2', 'a3'])
  t.strictSame(next(schedule), [])
  t.equal(schedule.size, 0)
})

t.test('a batch is bounded, and nobody is left out of it', async t => {
  const many = Array.from({ length: 500 }, (_, i) => `a${i}`)
  const schedule = scheduleOf(...many, 'b1')
  const ids = next(schedule)
  t.equal(ids.length, 128)
  t.ok(ids.includes('b1'))
})

t.test('a quick write waits for at most one of 40 slow ones of another client', async t => {
  const slow = Array.from({ length: 40 }, (_, i) => `a${i}`)
  const schedule = scheduleOf(...slow)
  const msOf = (client: string) => (client === 'a' ? 1_000 : 2)
  let nowMs = 0
  for (let i = 0; i < 20; i++) {
    // It comes while this is executed.
    const before = run(schedule, nowMs, msOf)
    nowMs += before.ms
    t.equal(before.ms, 1_000)
    schedule.add(item(`b${i}`))
    const own = run(schedule, nowMs, msOf)
    nowMs += own.ms
    t.strictSame(own.ids, [`b${i}`], 'and it has a transaction to itself')
  }
})

t.test('who was in a slow batch of several clients is measured apart', async t => {
  const schedule = scheduleOf('a1', 'b1')
  run(schedule, 0, client => (client === 'a' ? 1_000 : 2))
  for (const id of ['a2', 'a3', 'b2', 'b3', 'b4']) schedule.add(item(id))
  const batches: string[][] = []
  for (let nowMs = 1_000; schedule.size > 0; ) {
    const { ids, ms } = run(schedule, nowMs, client => (client === 'a' ? 1_000 : 2))
    batches.push(ids)
    nowMs += ms
  }
  t.ok(batches.every(ids => new Set(ids.map(id => id.charAt(0))).size === 1))
})

t.test('a client that has become quick is among the others again', async t => {
  const schedule = scheduleOf('a1')
  run(schedule, 0, () => 200)
  let nowMs = 200
  for (let i = 0; i < 20; i++) {
    schedule.add(item(`a${i}`))
    nowMs += run(schedule, nowMs, () => 1).ms
  }
  schedule.add(item('a'))
  schedule.add(item('b'))
  t.strictSame(next(schedule, nowMs).sort(), ['a', 'b'])
})

t.test('time that was taken long ago counts no more', async t => {
  const schedule = scheduleOf('a1', 'b1')
  schedule.took([item('a')], 1_000, 0)
  schedule.took([item('b')], 500, 100_000)
  t.strictSame(next(schedule, 100_000), ['a1'])
})

t.test('a suspect is picked alone, and what is behind it waits', async t => {
  const schedule = scheduleOf('a1')
  schedule.add(item('a2', { suspect: true }))
  for (const id of ['a3', 'b1']) schedule.add(item(id))
  t.strictSame(next(schedule), ['a1', 'b1'])
  t.strictSame(next(schedule), ['alone', 'a2'])
  t.strictSame(next(schedule), ['a3'])
})

t.test('what was postponed comes first of its client', async t => {
  const schedule = scheduleOf('a1', 'a2', 'a3')
  const picked = schedule.next(0)
  schedule.add(item('a4'))
  if (picked?.kind === 'together') schedule.putBack(picked.items.slice(1))
  t.strictSame(next(schedule), ['a2', 'a3', 'a4'])
})

t.test('what nobody waits for is taken out', async t => {
  const schedule = scheduleOf('a1')
  schedule.add(item('a2', { expiresAtMs: 100 }))
  schedule.add(item('b1', { expiresAtMs: 100 }))
  t.strictSame(schedule.expire(99), [])
  t.strictSame(
    schedule.expire(100).map(({ id }) => id),
    ['a2', 'b1']
  )
  t.strictSame(
    [schedule.size, schedule.othersWait('a'), schedule.othersWait('b')],
    [1, false, true]
  )
  t.strictSame(next(schedule, 100), ['a1'])
})

t.test('a batch is bounded in bytes, and a large write does not keep small ones out', async t => {
  const schedule = new WriteSchedule<Item>()
  const bytes = 3 * 1024 * 1024
  for (const id of ['a1', 'a2', 'a3']) schedule.add(item(id, { bytes }))
  for (const id of ['b1', 'b2']) schedule.add(item(id, { bytes: 100 }))
  t.strictSame(next(schedule), ['a1', 'b1', 'b2'])
  t.strictSame(next(schedule), ['a2'])
  t.strictSame(next(schedule), ['a3'])
})
