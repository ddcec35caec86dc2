import t from 'tap'
import { chart, powersOfTen, steps } from './svg.ts'

t.test('ticks are round numbers that reach the highest value', async t => {
  t.strictSame(steps(8), [0, 2, 4, 6, 8])
  t.strictSame(steps(4_300), [0, 2_000, 4_000, 6_000])
  t.strictSame(steps(0.9), [0, 0.25, 0.5, 0.75, 1])
  t.strictSame(powersOfTen(0.3, 40), [0.1, 1, 10, 100])
  t.strictSame(powersOfTen(1, 1), [1, 10])
})

t.test('a chart shows each series, and text cannot break out of it', async t => {
  const points = [{ at: '1', value: 10, low: 8, high: 12 }]
  const series = [{ label: '<b>', color: '#123456', points }]
  const svg = chart('a & b', [{ title: 'read', unit: 'per s', series }])
  t.match(svg, /<title>a &amp; b<\/title>/)
  t.match(svg, /stroke="#123456"/)
  t.notMatch(svg, /<b>/)
})
