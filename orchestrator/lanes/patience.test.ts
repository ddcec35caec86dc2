import t from 'tap'
import { Patience } from './patience.ts'

t.test('waiting counts while others are answered', async t => {
  const patience = new Patience()
  t.equal(patience.waitedMs(0, 5_000), 0, 'nothing was answered yet')
  for (let nowMs = 5_000; nowMs <= 8_000; nowMs += 500) patience.answered(nowMs)
  t.equal(patience.waitedMs(6_000, 8_100), 2_100)
  t.equal(patience.waitedMs(0, 8_100), 3_100, 'but not the time before')
})

t.test('a pause, as of a failover, is nobody else being served', async t => {
  const patience = new Patience()
  patience.answered(0)
  t.equal(patience.waitedMs(0, 3_000), 0)
  patience.answered(3_000)
  t.equal(patience.waitedMs(0, 3_100), 100)
})
