import t from 'tap'
import { SETTINGS } from '../../testing/fixtures/scaling.ts'
import { dueAtMs, type Seen, scale } from './scale.ts'
import type { ScalingSettings } from './settings.ts'
import { parseState, type ScalingState } from './state.ts'

const seen = (second: number, reads: Record<string, number> = {}, cpu: number[] = []): Seen => ({
  atMs: second * 1_000,
  reads: new Map(Object.entries(reads)),
  cpuPercent: cpu,
  readLoadPercent: cpu,
  ...{ cores: 8, idleCores: 4 }
})

/** Looks now and then, as long as a supervisor would. */
function over(
  from: ScalingState | null,
  looks: readonly Seen[],
  settings: ScalingSettings = SETTINGS
): ScalingState {
  const [first, ...more] = looks
  if (first === undefined) throw new Error('nothing seen')
  return more.reduce((state, look) => scale(state, look, settings), scale(from, first, settings))
}

const BEGUN = scale(null, seen(0), SETTINGS)
/** So often that no silence comes between. */
const every10S = (from: number, to: number, reads: Record<string, number> = {}) =>
  Array.from({ length: (to - from) / 10 }, (_, i) => seen(from + 10 * (i + 1), reads))

t.test('a cluster begins with min, or with the fixed count', async t => {
  t.equal(BEGUN.wanted, 2)
  t.equal(scale(null, seen(0), { ...SETTINGS, policy: 'fixed', count: 7 }).wanted, 7)
})

t.test('the timer of a window starts with the first read', async t => {
  const idle = over(BEGUN, every10S(0, 300))
  t.equal(dueAtMs(idle, SETTINGS), null)
  const read = scale(idle, seen(310, { a: 1 }), SETTINGS)
  t.equal(dueAtMs(read, SETTINGS), 300_000 + 120_000, 'it came after the last look')
})

t.test('reads of all orchestrators are summed, and each is counted once', async t => {
  const reads = { a: 30, b: 31 }
  const state = over(BEGUN, every10S(0, 120, reads))
  t.match(state, {
    wanted: 4,
    decision: {
      at: '1970-01-01T00:02:00.000Z',
      ...{ policy: 'window', from: 2, to: 4, reason: '61 reads in 120 s, 20 a replica' }
    }
  })
  const next = over(state, every10S(120, 240, { ...reads, b: 32 }))
  t.match(next.decision, { to: 2, reason: '1 reads in 120 s, 20 a replica; at least 2' })
})

t.test('an orchestrator that lost its session comes back with what is counted already', async t => {
  const state = over(BEGUN, [seen(10, { a: 50, b: 1 }), seen(20, { b: 1 }), seen(30, { a: 52 })])
  t.equal(state.span.reads, 53)
})

t.test('one that starts anew is another, and is counted from 0', async t => {
  const state = over(BEGUN, [seen(10, { a: 50 }), seen(20, { c: 2 })])
  t.equal(state.span.reads, 52)
})

t.test('what is remembered of orchestrators that are gone is bounded', async t => {
  const looks = Array.from({ length: 100 }, (_, i) => seen(i / 10, { [`o${i}`]: 1 }))
  const { counted, span } = over(BEGUN, looks)
  t.equal(Object.keys(counted).length, 33)
  t.equal(span.reads, 100)
})

t.test('another supervisor goes on with the same window', async t => {
  const state = over(BEGUN, every10S(0, 60, { a: 70 }))
  const stored = parseState(JSON.stringify(state))
  t.equal(over(stored, every10S(60, 120, { a: 81 })).wanted, 5)
})

t.test('what an earlier version stored is gone on with', async t => {
  const { calmSinceMs: _, span, ...rest } = over(BEGUN, every10S(0, 60, { a: 70 }))
  const { readLoadPercent: __, idleCores: ___, ...earlier } = span
  const stored = parseState(JSON.stringify({ ...rest, span: earlier }))
  t.match(stored, { span: { reads: 70, readLoadPercent: 0 }, calmSinceMs: 0 })
})

t.test('what is stored is not believed when it is not ours', async t => {
  for (const data of ['', '{}', '7', '{"wanted":3}', JSON.stringify({ ...BEGUN, span: {} })]) {
    t.equal(parseState(data), null)
  }
})

t.test('after a stop of everything the number stays, and the window is a new one', async t => {
  const state = over(BEGUN, every10S(0, 120, { a: 70 }))
  t.equal(state.wanted, 4)
  const later = scale(state, seen(90_000), SETTINGS)
  t.match(later, { wanted: 4, span: { sinceMs: null, reads: 0 } })
})

t.test('a clock that was set back delays nothing for long', async t => {
  const rate: ScalingSettings = { ...SETTINGS, policy: 'rate' }
  const busy = over(null, [seen(100_000), seen(100_005, { a: 2_000 })], rate)
  t.equal(busy.wanted, 4)
  const back = [1, 6, 11, 16, 21, 26, 31, 36].map(second => seen(second, { a: 2_000 }))
  t.equal(over(busy, back, rate).wanted, 3)
})

t.test('an operator is obeyed at once', async t => {
  const fixed = scale(BEGUN, seen(1), { ...SETTINGS, policy: 'fixed', count: 4 })
  t.match(fixed, { wanted: 4, decision: { from: 2, to: 4, reason: 'the count was set' } })
  const back = scale(fixed, seen(2), SETTINGS)
  t.match(back, { wanted: 4, policy: 'window', span: { sinceMs: null } }, 'until its first window')
  const bounded = scale(back, seen(3), { ...SETTINGS, max: 3 })
  t.match(bounded.decision, { to: 3, reason: 'the bounds were set' })
})

t.test('busy replicas get no help while one is still to come', async t => {
  const cpu: ScalingSettings = { ...SETTINGS, policy: 'cpu' }
  const busy = over(null, [seen(0, {}, [99, 99]), seen(5, {}, [99, 99])], cpu)
  t.match(busy.decision, { from: 2, to: 3, reason: 'replicas at 99 % CPU' })
  const waiting = over(busy, [seen(10, {}, [99, 99]), seen(15, {}, [99, 99])], cpu)
  t.equal(waiting.wanted, 3)
  const there = over(waiting, [seen(20, {}, [99, 99, 99])], cpu)
  t.equal(there.wanted, 4, 'five seconds of three busy ones')
})
