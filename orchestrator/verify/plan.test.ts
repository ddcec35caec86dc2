import t from 'tap'
import { Plan } from './plan.ts'

const MIB = 1024 * 1024

t.test('small tables go together, a large one by ranges of its key', async t => {
  const plan = new Plan(
    new Map([
      ['a', 1_000],
      ['b', 2_000],
      ['big', 900 * MIB],
      ['c', 10]
    ])
  )
  const first = plan.next() ?? []
  t.strictSame(
    first.map(({ table }) => table),
    ['a', 'b']
  )
  plan.done(first, { ends: { a: null, b: null }, tookMs: 1 })
  const big = plan.next() ?? []
  t.strictSame(big, [{ table: 'big', after: null, rows: 1_000 }])
  plan.done(big, { ends: { big: ['1000'] }, tookMs: 10 })
  const next = plan.next() ?? []
  t.strictSame(next, [{ table: 'big', after: ['1000'], rows: 4_000 }], 'more at a time')
  plan.done(next, { ends: { big: ['5000'] }, tookMs: 200 })
  const slower = plan.next() ?? []
  t.strictSame(slower, [{ table: 'big', after: ['5000'], rows: 2_000 }], 'and less')
  plan.done(slower, { ends: { big: null }, tookMs: 100 })
  t.strictSame(
    (plan.next() ?? []).map(({ table }) => table),
    ['c']
  )
  t.equal(plan.left, 1)
})

t.test('ten thousand small tables are not ten thousand parts', async t => {
  const plan = new Plan(new Map(Array.from({ length: 10_000 }, (_, i) => [`t${i}`, 16 * 1024])))
  let parts = 0
  for (let ranges = plan.next(); ranges !== null; ranges = plan.next()) {
    plan.done(ranges, { ends: {}, tookMs: 100 })
    parts += 1
  }
  t.equal(parts, 100)
})

t.test('what takes too long is halved and halved, and left out at one row', async t => {
  const plan = new Plan(
    new Map([
      ['a', 10],
      ['b', 10]
    ])
  )
  let parts = 0
  for (let ranges = plan.next(); ranges !== null && parts < 50; ranges = plan.next()) {
    plan.slow(ranges)
    parts += 1
  }
  t.equal(plan.left, 0)
  t.strictSame(plan.skipped, ['a', 'b'])
  t.ok(parts < 20, `${parts} parts`)
})

t.test('tables that cannot be compared are named', async t => {
  const plan = new Plan(new Map([['a', 10]]))
  plan.skip(plan.next() ?? [])
  t.strictSame([plan.next(), plan.skipped], [null, ['a']])
})
