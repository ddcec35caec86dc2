import t from 'tap'
import {
  type Carried,
  faultLines,
  kindLines,
  moments,
  percentilesOf,
  stretchOf
} from './figures.ts'
import type { DoorName } from './load/doors.ts'
import type { Answer, Kind } from './load/load.ts'
import type { PlannedFault } from './plan.ts'

const SPAN = { fromMs: 1_000, toMs: 11_000 }

const answer = (door: DoorName, kind: Kind, atMs: number, more: Partial<Answer> = {}): Answer => ({
  ...{ door, kind, askedAtMs: atMs - 5, atMs, ok: true, sentAgain: [], error: null },
  ...more
})

/** One of each kind every 100 ms, but for those that `isSilent`. */
function steady(isSilent: (door: DoorName, kind: Kind, atMs: number) => boolean): Answer[] {
  const answers: Answer[] = []
  for (let atMs = SPAN.fromMs; atMs < SPAN.toMs; atMs += 100) {
    for (const door of ['orchestrator', 'lb'] as const) {
      for (const kind of ['write', 'read'] as const) {
        if (!isSilent(door, kind, atMs)) answers.push(answer(door, kind, atMs))
      }
    }
  }
  return answers
}

const carried = (planned: PlannedFault, atMs: number, more: Partial<Carried> = {}): Carried => ({
  ...{ planned, who: 'it', atMs, healedAtMs: atMs, wholeAfterMs: 2_000, notDone: null },
  ...more
})

const MASTER: PlannedFault = { atS: 1, fault: 'kill-master' }

t.test('the gap of a fault is the longest at either door until the next fault', async t => {
  const answers = steady(
    (door, kind, atMs) =>
      (door === 'lb' && kind === 'write' && atMs > 2_000 && atMs < 2_700) ||
      (kind === 'read' && atMs > 6_000 && atMs < 7_500)
  )
  const faults = [carried(MASTER, 2_000), carried({ atS: 5, fault: 'kill-lb' }, 6_000)]
  const [first, second] = faultLines(answers, faults, SPAN)
  t.match(first, { atS: 1, writeGapMs: 700, readGapMs: 100 })
  t.match(second, { atS: 5, writeGapMs: 100, readGapMs: 1_500 })
})

t.test('a door where nothing is answered any more counts to the end', async t => {
  const answers = steady((door, _kind, atMs) => door === 'orchestrator' && atMs > 8_000)
  t.match(faultLines(answers, [carried(MASTER, 8_000)], SPAN)[0], { writeGapMs: 3_000 })
})

t.test('errors and what was sent again belong to the fault before them', async t => {
  const answers = [
    answer('lb', 'write', 2_500, { sentAgain: ['ECONNREFUSED', 'ECONNREFUSED'] }),
    answer('lb', 'read', 7_000, { ok: false, error: '500' })
  ]
  const lines = faultLines(answers, [carried(MASTER, 2_000), carried(MASTER, 6_000)], SPAN)
  t.strictSame(
    lines.map(({ errors, sentAgain }) => [errors, sentAgain]),
    [
      [0, 2],
      [1, 0]
    ]
  )
})

t.test('kinds have percentiles of what was done', async t => {
  const answers = steady((_door, kind, atMs) => kind === 'write' && atMs > 6_000 && atMs < 6_400)
  const faults = [
    carried(MASTER, 2_000),
    carried(MASTER, 6_000),
    carried(MASTER, 9_000, { notDone: 'nobody leads' })
  ]
  t.strictSame(kindLines(faultLines(answers, faults, SPAN)), [
    {
      ...{ fault: 'kill-master', times: 2, errors: 0 },
      writeGapMs: { p50: 100, p90: 400, worst: 400 },
      readGapMs: { p50: 100, p90: 100, worst: 100 }
    }
  ])
  t.strictSame(percentilesOf([5, 1, 3, 2, 4, 10, 7, 8, 9, 6]), { p50: 5, p90: 9, worst: 10 })
})

t.test('each second has its rate and its latencies, and none where nothing was', async t => {
  const answers = steady((_door, _kind, atMs) => atMs >= 3_000 && atMs < 4_000)
  const seconds = moments(answers, SPAN)
  t.equal(seconds.length, 10)
  t.strictSame(seconds[0], { second: 0.5, writesPerS: 20, readsPerS: 20, p50Ms: 5, p99Ms: 5 })
  t.strictSame(seconds[2], { second: 2.5, writesPerS: 0, readsPerS: 0, p50Ms: null, p99Ms: null })
  t.equal(stretchOf({ fromMs: 0, toMs: 1_800_000 }), 3)
})
