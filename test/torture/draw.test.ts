import t from 'tap'
import { Dice } from '../../testing/random.ts'
import { drawFault, FAULT_KINDS } from './draw.ts'

const drawn = (seed: number, kinds = FAULT_KINDS as readonly (typeof FAULT_KINDS)[number][]) => {
  const dice = new Dice(seed)
  return Array.from({ length: 200 }, () => {
    const { text, lastsMs } = drawFault(kinds, dice)
    return { text, lastsMs }
  })
}

t.test('a seed draws the same faults again, and another one others', async t => {
  t.strictSame(drawn(7), drawn(7))
  t.strictNotSame(drawn(7), drawn(8))
})

t.test('only what was asked for is drawn, for 0.2 to 15 s', async t => {
  for (const { text, lastsMs } of drawn(1, ['pause'])) {
    t.match(text, /^SIGSTOP of /)
    t.ok(lastsMs >= 200 && lastsMs <= 15_000)
  }
})

t.test('sometimes two die at the same moment', async t => {
  const both = drawn(1, ['kill']).filter(({ text }) => text.includes(' and '))
  t.ok(both.length > 10 && both.length < 100)
})
