import t from 'tap'
import { PROMISES } from './generate.ts'
import type { Action, History } from './history.ts'
import { linearize } from './linearize.ts'
import { change, lost, read } from './made.ts'
import { objectsOf } from './objects.ts'
import { checkRegister } from './register.ts'

const write = (value: number): Action => ({ do: 'write', value })
const swap = (from: number | null, to: number): Action => ({ do: 'swap', from, to })

const isLinearizable = (history: History): boolean =>
  objectsOf(history).every(object => checkRegister(object, PROMISES) === null)

t.test('a read sees the write that ended before it', async t => {
  t.ok(isLinearizable([change([0, 1], write(1)), read([2, 3], 'register', 1)]))
  t.notOk(isLinearizable([change([0, 1], write(1)), read([2, 3], 'register', null)]))
})

t.test('a read sees either value while a write is under way, and then not the old one', async t => {
  const writes = [change([0, 1], write(1)), change([2, 9], write(2))]
  t.ok(isLinearizable([...writes, read([3, 4], 'register', 1), read([5, 6], 'register', 2)]))
  t.notOk(isLinearizable([...writes, read([3, 4], 'register', 2), read([5, 6], 'register', 1)]))
})

t.test('a swap that was done found what it expected; one that was rejected did not', async t => {
  const first = change([0, 1], write(1))
  t.ok(isLinearizable([first, change([2, 3], swap(1, 2)), read([4, 5], 'register', 2)]))
  t.notOk(isLinearizable([first, change([2, 3], swap(7, 2))]))
  t.ok(isLinearizable([first, change([2, 3], swap(7, 2), { outcome: 'rejected' })]))
  t.notOk(isLinearizable([first, change([2, 3], swap(1, 2), { outcome: 'rejected' })]))
})

t.test('of two swaps from one value only one is done', async t => {
  const both = [change([0, 9], swap(null, 1)), change([0, 9], swap(null, 2))]
  t.notOk(isLinearizable(both))
  t.ok(isLinearizable([both[0]!, { ...both[1]!, outcome: 'rejected' }]))
})

t.test('an unknown write takes effect at any later time, or never, but not twice', async t => {
  const history = [lost(0, write(1)), change([1, 2], write(2))]
  t.ok(isLinearizable([...history, read([3, 4], 'register', 2)]))
  t.ok(isLinearizable([...history, read([3, 4], 'register', 1)]))
  t.ok(isLinearizable([...history, read([3, 4], 'register', 2), read([5, 6], 'register', 1)]))
  const after = [change([5, 6], write(3)), read([7, 8], 'register', 1)]
  t.notOk(isLinearizable([...history, read([3, 4], 'register', 1), ...after]))
})

t.test('an unknown write does not take effect before it was asked for', async t => {
  t.notOk(isLinearizable([read([0, 1], 'register', 1), lost(2, write(1))]))
})

t.test('a write that failed for certain is never seen', async t => {
  const failed = change([0, 1], write(1), { outcome: 'failed' })
  t.ok(isLinearizable([failed, read([2, 3], 'register', null)]))
  t.notOk(isLinearizable([failed, read([2, 3], 'register', 1)]))
})

t.test(
  'copies of one command are one write, from the first asking to the first answer',
  async t => {
    const copies = [
      change([0, Number.POSITIVE_INFINITY], write(1), { requestId: 'r', outcome: 'unknown' }),
      change([5, 6], write(1), { requestId: 'r' })
    ]
    const between = change([2, 3], write(2))
    t.ok(
      isLinearizable([
        ...copies,
        between,
        read([4, 4], 'register', 1),
        read([7, 8], 'register', 2)
      ]) === false
    )
    t.ok(isLinearizable([...copies, between, read([7, 8], 'register', 2)]))
  }
)

t.test('keys are judged apart, and stale reads of other levels are not judged here', async t => {
  const history = [change([0, 1], write(1)), change([0, 1], write(2), { key: 'y' })]
  t.ok(isLinearizable([...history, read([2, 3], 'register', 2, { key: 'y' })]))
  t.notOk(isLinearizable([...history, read([2, 3], 'register', 2)]))
  t.ok(isLinearizable([...history, read([2, 3], 'register', null, { consistency: 'replica' })]))
})

t.test('two operations that touch in one moment are concurrent', async t => {
  t.ok(isLinearizable([change([0, 1], write(1)), read([1, 2], 'register', null)]))
})

t.test('what a wrong history is stuck at is told', async t => {
  const stale = read([4, 5], 'register', 1)
  const [object] = objectsOf([change([0, 1], write(1)), change([2, 3], write(2)), stale])
  t.strictSame(checkRegister(object!, PROMISES)?.operations, [stale])
})

t.test('a misleading index costs time, and changes no verdict', async t => {
  const machine = {
    initial: 0,
    next: (sum: number, operation: History[number]) =>
      operation.kind === 'read' ? (operation.value === sum ? sum : undefined) : sum + 1
  }
  const adds = Array.from({ length: 6 }, (_, i) => change([i, 20 + i], write(i), { index: 6 - i }))
  const reads = Array.from({ length: 6 }, (_, i) =>
    read([i + 6, i + 6.5], 'register', i, { index: 9 - i })
  )
  t.equal(linearize([...adds, ...reads], machine).kind, 'linearizable')
  t.equal(linearize([...adds, ...reads, read([40, 41], 'register', 5)], machine).kind, 'impossible')
})
