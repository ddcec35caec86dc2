import t from 'tap'
import { Hits } from './hits.ts'

t.test('counts of several processes are summed, and of those that follow them', async t => {
  const hits = new Hits()
  hits.saw('a', 10)
  hits.saw('b', 5)
  hits.saw('a', 12)
  t.equal(hits.sum, 17)
  hits.saw('a', 3)
  t.equal(hits.sum, 20, 'another process counts from 0')
  hits.saw('a', 3)
  t.equal(hits.sum, 20)
})
