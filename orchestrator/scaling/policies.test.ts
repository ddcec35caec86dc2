/** The policies under generated loads: each test is a promise, held by any load that fits it. */
import fc from 'fast-check'
import t from 'tap'
import { changesOf, SETTINGS, wantedBySecond } from '../../testing/fixtures/scaling.ts'
import { ruleOf } from './policies.ts'
import type { ScalingSettings } from './settings.ts'

const clamp = (value: number, { min, max }: { min: number; max: number }) =>
  Math.min(Math.max(value, min), max)

const bounds = fc
  .tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 0, max: 9 }))
  .map(([min, more]) => ({ min, max: min + more }))

const anySettings = (policy: ScalingSettings['policy']) =>
  fc
    .record({
      windowS: fc.integer({ min: 1, max: 60 }),
      readsPerReplica: fc.integer({ min: 1, max: 500 }),
      readsPerS: fc.integer({ min: 1, max: 300 }),
      coolDownS: fc.integer({ min: 1, max: 60 }),
      count: fc.integer({ min: 1, max: 12 }),
      isMaxChosen: fc.boolean()
    })
    .chain(numbers => bounds.map(both => ({ ...numbers, ...both, policy })))

const anyLoad = fc.array(fc.integer({ min: 0, max: 3_000 }), { minLength: 1, maxLength: 300 })
const anyCpu = fc.record({
  perRead: fc.double({ min: 0, max: 2, noNaN: true }),
  idle: fc.double({ min: 0, max: 100, noNaN: true })
})

/** A steady load, each second a tenth more or less at most. */
const steady = ({ perS, seconds }: { perS: number; seconds: number }) =>
  fc.array(
    fc.double({ min: 0.9, max: 1.1, noNaN: true }).map(share => Math.round(perS * share)),
    {
      minLength: seconds,
      maxLength: seconds
    }
  )

const holds = <T>(arbitrary: fc.Arbitrary<T>, rule: (value: T) => boolean) =>
  fc.assert(fc.property(arbitrary, rule), { numRuns: 300 })

for (const policy of ['load', 'window', 'rate', 'cpu'] as const) {
  t.test(`${policy}: whatever the load, never fewer than min, never more than max`, async () => {
    holds(fc.tuple(anySettings(policy), anyLoad, anyCpu), ([settings, load, cpu]) =>
      wantedBySecond({ settings, load, cpu }).every(
        wanted => wanted >= settings.min && wanted <= settings.max
      )
    )
  })
}

t.test('fixed: whatever the load, the count', async () => {
  holds(fc.tuple(anySettings('fixed'), anyLoad), ([settings, load]) =>
    wantedBySecond({ settings, load }).every(wanted => wanted === settings.count)
  )
})

t.test(
  'window: from the first read on, each window ends with clamp(ceil(reads / readsPerReplica), min, max)',
  async () => {
    holds(fc.tuple(anySettings('window'), anyLoad), ([settings, load]) => {
      const { windowS, readsPerReplica } = settings
      const first = load.findIndex(reads => reads > 0)
      return wantedBySecond({ settings, load }).every((wanted, second) => {
        const windows = first === -1 ? 0 : Math.floor((second - first + 1) / windowS)
        if (windows < 1) return wanted === settings.min
        const end = first + windows * windowS
        const reads = load.slice(end - windowS, end).reduce((sum, one) => sum + one, 0)
        return wanted === clamp(Math.ceil(reads / readsPerReplica), settings)
      })
    })
  }
)

t.test('window: a load that changes has its number within two windows', async () => {
  const replicas = fc.integer({ min: 1, max: 5 })
  holds(fc.tuple(replicas, replicas, fc.integer({ min: 0, max: 119 })), ([before, after, at]) => {
    // In a window of 120 s one replica is for 20 reads: one in 6 s.
    const second = (i: number, worth: number) => (i % 6 === 0 ? worth : 0)
    const turn = 360 + at
    const load = Array.from({ length: 720 }, (_, i) => second(i, i < turn ? before : after))
    const wanted = wantedBySecond({ settings: { ...SETTINGS, min: 1 }, load })
    return wanted[359] === before && wanted[turn + 240] === after
  })
})

t.test('window: the same reads in each window do not flap', async () => {
  holds(fc.integer({ min: 1, max: 200 }), reads => {
    const load = Array.from({ length: 1_200 }, (_, i) => (i % 120 === 60 ? reads : 0))
    const [first, ...more] = changesOf(wantedBySecond({ settings: SETTINGS, load }))
    return more.length === 0 && (first === undefined || first.second === 179)
  })
})

const rate: ScalingSettings = { ...SETTINGS, policy: 'rate', min: 1, max: 10 }
const cpu: ScalingSettings = { ...SETTINGS, policy: 'cpu', min: 1, max: 10 }
const perS = fc.integer({ min: 0, max: 900 })

/** A load that changes after 200 s, and its replicas second by second. */
const turned = (settings: ScalingSettings, [before, after]: readonly [number, number]) =>
  wantedBySecond({
    settings,
    load: Array.from({ length: 800 }, (_, s) => (s < 200 ? before : after)),
    cpu: { perRead: 1, idle: 0 }
  })

const slowlyDown = (wanted: readonly number[], coolDownS: number) => {
  const changes = changesOf(wanted)
  return changes.every(
    ({ second, by }, i) =>
      by > 0 || (by === -1 && second - (changes[i - 1]?.second ?? -coolDownS) >= coolDownS)
  )
}

const load: ScalingSettings = { ...SETTINGS, policy: 'load', min: 2, max: 10 }

t.test('load: a load that keeps no replica busy changes nothing', async () => {
  holds(fc.tuple(perS, perS), ([before, after]) => {
    const reads = [before, after].map(one => Math.round(one / 7)) as [number, number]
    return turned(load, reads).every(wanted => wanted === 2)
  })
})

t.test('load: busy replicas get more, one at a time, until they are not', async () => {
  holds(fc.integer({ min: 0, max: 690 }), percent => {
    const wanted = turned(load, [percent, percent])
    const enough = Math.max(2, Math.ceil(percent / 70))
    return wanted.at(-1) === enough && changesOf(wanted).every(({ by }) => by === 1)
  })
})

t.test('load: one goes per cool-down, and only where the others stay far from busy', async () => {
  holds(fc.tuple(fc.integer({ min: 500, max: 690 }), fc.integer({ min: 0, max: 500 })), loads => {
    const wanted = turned(load, loads)
    const last = wanted.at(-1) ?? 0
    return slowlyDown(wanted, load.coolDownS) && (last === 2 || loads[1] / (last - 1) >= 40)
  })
})

t.test('load: bursts that come again within the cool-down keep what they need', async () => {
  const seconds = Array.from({ length: 1_200 }, (_, s) => (s % 45 < 30 ? 250 : 0))
  const wanted = wantedBySecond({
    settings: { ...load, coolDownS: 60 },
    load: seconds,
    cpu: { perRead: 1, idle: 0 }
  })
  const settled = changesOf(wanted.slice(300))
  t.strictSame(settled, [], 'it neither grows nor shrinks')
})

t.test('load: without a chosen max, never more than one less than the cores', async () => {
  holds(fc.tuple(fc.integer({ min: 1, max: 16 }), fc.integer({ min: 0, max: 3_000 })), of => {
    const [cores, perS] = of
    const wanted = wantedBySecond({
      settings: { ...load, isMaxChosen: false },
      load: Array.from({ length: 400 }, () => perS),
      cores,
      cpu: { perRead: 1, idle: 0 }
    })
    return Math.max(...wanted) <= Math.min(10, Math.max(2, cores - 1))
  })
})

t.test('load: where no core is idle another replica would not help, whatever max is', async () => {
  const cpu = { perRead: 10, idle: 0 }
  for (const cores of [1, 2]) {
    const reads = Array.from({ length: 600 }, () => 1_000)
    const wanted = wantedBySecond({ settings: load, load: reads, cores, cpu })
    t.equal(Math.max(...wanted), 2, `${cores} cores`)
  }
})

t.test('the rule is one sentence with the numbers that hold', async t => {
  t.equal(
    ruleOf({ ...load, isMaxChosen: false, max: 5, coolDownS: 60 }, 2),
    'one more while reads keep the replicas over 70 % busy for 15 s and a core is idle, ' +
      'one less when the others would stay under 40 % for 60 s; 2 to 2 replicas on 2 cores'
  )
  t.match(ruleOf({ ...load, max: 5 }, 2), /2 to 5 replicas$/)
  t.equal(ruleOf(SETTINGS, 2), 'one replica for 20 reads in 120 s, 2 to 5 replicas')
})

t.test('rate: a jump of the load has its replicas within two samples of 5 s', async () => {
  holds(fc.tuple(perS, perS), loads => (turned(rate, loads)[210] ?? 0) * 100 >= loads[1])
})

t.test('rate: a fall of the load costs one replica per cool-down', async () => {
  holds(fc.tuple(perS, perS), loads => slowlyDown(turned(rate, loads), rate.coolDownS))
})

t.test('rate: no more replicas stay than carry the load with 70 % of their strength', async () => {
  holds(fc.tuple(perS, perS), loads => {
    const needed = Math.max(1, Math.ceil(loads[1] / (0.7 * rate.readsPerS)))
    return (turned(rate, loads).at(-1) ?? 0) <= Math.min(needed + 1, rate.max)
  })
})

t.test('cpu: replicas above 85 % get more, one at a time, until they are not', async () => {
  holds(fc.integer({ min: 0, max: 800 }), percent => {
    const wanted = turned(cpu, [percent, percent])
    const enough = Math.max(1, Math.ceil(percent / 85))
    return wanted.at(-1) === enough && changesOf(wanted).every(({ by }) => by === 1)
  })
})

t.test('cpu: replicas below 25 % lose one per cool-down, until they are not', async () => {
  holds(fc.tuple(fc.integer({ min: 500, max: 800 }), fc.integer({ min: 0, max: 500 })), loads => {
    const wanted = turned(cpu, loads)
    const last = wanted.at(-1) ?? 0
    return slowlyDown(wanted, cpu.coolDownS) && (last === 1 || loads[1] / last >= 25)
  })
})

for (const settings of [rate, cpu, load]) {
  t.test(`${settings.policy}: a steady load, give or take a tenth, does not flap`, async () => {
    const then = perS.chain(one => steady({ perS: one, seconds: 600 }))
    const idle = fc.integer({ min: 0, max: 20 })
    holds(fc.tuple(perS, then, idle), ([before, after, idle]) => {
      const load = [...Array.from({ length: 100 }, () => before), ...after]
      const wanted = wantedBySecond({ settings, load, cpu: { perRead: 1, idle } })
      // It finds its number from above or from below, and never turns.
      const directions = changesOf(wanted.slice(115)).map(({ by }) => Math.sign(by))
      return new Set(directions).size <= 1
    })
  })
}
