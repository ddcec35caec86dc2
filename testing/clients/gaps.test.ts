import t from 'tap'
import { longestGapMs } from './gaps.ts'

t.test('the longest gap is that between two answers in the window', async t => {
  t.equal(longestGapMs([0, 10, 30, 35, 90], { fromMs: 5, toMs: 40 }), 20)
})

t.test(
  'of a gap that began before the window, or goes on behind it, the part within counts',
  async t => {
    t.equal(longestGapMs([0, 100, 110], { fromMs: 40, toMs: 120 }), 60)
    t.equal(longestGapMs([0, 10, 900], { fromMs: 5, toMs: 500 }), 490)
  }
)

t.test('without any answer the whole window is the gap', async t => {
  t.equal(longestGapMs([], { fromMs: 5, toMs: 45 }), 40)
})
