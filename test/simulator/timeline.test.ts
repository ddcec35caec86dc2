import t from 'tap'
import { Dice } from '../../testing/random.ts'
import { Timeline } from './timeline.ts'

t.test('what is planned happens in the order of time, and then of planning', async t => {
  const timeline = new Timeline()
  const dice = new Dice(1)
  const planned = Array.from({ length: 500 }, (_, order) => ({ order, atMs: dice.between(0, 40) }))
  const happened: typeof planned = []
  for (const one of planned) timeline.after(one.atMs, () => happened.push(one))
  while (timeline.step());
  const inOrder = planned.toSorted((a, b) => a.atMs - b.atMs || a.order - b.order)
  t.strictSame(happened, inOrder)
})

t.test('what happens may plan more, for the same moment too', async t => {
  const timeline = new Timeline()
  const happened: string[] = []
  timeline.after(5, () => {
    happened.push(`first at ${timeline.nowMs}`)
    timeline.after(0, () => happened.push(`at once at ${timeline.nowMs}`))
  })
  timeline.after(5, () => happened.push('second'))
  while (timeline.step());
  t.strictSame(happened, ['first at 5', 'second', 'at once at 5'])
})
