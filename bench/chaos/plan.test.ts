import t from 'tap'
import { Dice } from '../../testing/random.ts'
import { drawPlan, FAULTS, type FaultName, lastsMsOf, parsePlan, textOf } from './plan.ts'

const drawn = (seed: number, faults: readonly FaultName[] = FAULTS) =>
  drawPlan({ faults, everyS: 15, forS: 1_800 }, new Dice(seed))

t.test('a seed draws the same plan again, and another seed another one', async t => {
  t.strictSame(drawn(7), drawn(7))
  t.strictNotSame(drawn(7), drawn(8))
})

t.test('half an hour with a fault each 15 s has 120 of them, each kind as often', async t => {
  const plan = drawn(1)
  t.equal(plan.length, 120)
  for (const name of FAULTS) {
    const times = plan.filter(({ fault }) => fault === name).length
    t.ok(times === 9 || times === 10, `${name} ${times} times`)
  }
  t.strictSame(
    plan.slice(0, 2).map(({ atS }) => atS),
    [5, 20]
  )
})

t.test('only what was asked for is drawn', async t => {
  const names = new Set(drawn(1, ['kill-lb', 'pause']).map(({ fault }) => fault))
  t.strictSame(names, new Set(['kill-lb', 'pause']))
})

t.test('a cut is one that can be done', async t => {
  const cuts = { of: ['replica'], from: ['everything'] } as const
  const plan = drawPlan({ faults: ['cut'], everyS: 15, forS: 600, cuts }, new Dice(1))
  const texts = plan.map(planned => textOf(planned).replace(/ for .*/, ''))
  t.strictSame(new Set(texts), new Set(['replica cut off from everything']))
})

t.test('what lasts is over well before the next fault', async t => {
  for (const planned of drawPlan({ faults: FAULTS, everyS: 4, forS: 600 }, new Dice(3))) {
    const ms = lastsMsOf(planned)
    t.ok(ms === 0 || (ms >= 1_000 && ms <= 2_200), textOf(planned))
  }
})

t.test('a plan is carried out again from its JSON, or from the report of a run', async t => {
  const plan = drawn(5)
  t.strictSame(parsePlan(JSON.stringify(plan)), plan)
  t.strictSame(parsePlan(JSON.stringify({ lost: 0, plan })), plan)
})

t.test('a plan by hand may come in any order', async t => {
  const plan = [
    { atS: 9, fault: 'pause', of: 'master', lastsS: 2 },
    { atS: 3, fault: 'kill-lb' }
  ]
  t.strictSame(parsePlan(JSON.stringify(plan)).map(textOf), [
    'kill -9 of lb',
    'SIGSTOP of master for 2 s'
  ])
})

t.test('what is wrong with a plan is told', async t => {
  const parse = (text: string) => () => parsePlan(text)
  t.throws(parse('{'), { message: /not JSON/ })
  t.throws(parse('null'), { message: 'a plan is a list of faults' })
  t.throws(parse('[{"atS":1,"fault":"kill-nobody"}]'), { message: /^fault 1 of the plan is wrong/ })
  t.throws(parse('[{"atS":1,"fault":"pause","of":"master"}]'), { message: /^fault 1/ })
})
