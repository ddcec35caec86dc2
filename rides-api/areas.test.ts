import t from 'tap'
import { parseArea } from './areas.ts'
import { InvalidAreaError } from './errors.ts'

t.test('areas are 1 to 198, as numbers or as strings of digits', async t => {
  t.equal(parseArea(1), 1)
  t.equal(parseArea(198), 198)
  t.equal(parseArea('1'), 1)
  t.equal(parseArea('198'), 198)
})

t.test('anything else is refused', async t => {
  const wrong = [0, 199, -1, 1.5, Number.NaN, '0', '199', '', ' 1', '1 ', '-1', '1.0', '1e2', 'one']
  for (const area of wrong) t.throws(() => parseArea(area), InvalidAreaError, `${area}`)
})
