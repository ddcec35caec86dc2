import t from 'tap'
import { timesOf } from './times.ts'

const node = (id: number, functionName: string, url: string, children: number[] = []) => ({
  id,
  callFrame: { functionName, url, lineNumber: 9 },
  children
})
const LANE = 'file:///app/orchestrator/lane.ts'
const profile = {
  nodes: [
    node(1, '(idle)', ''),
    node(2, 'send', LANE, [3, 4]),
    node(3, 'write', 'file:///app/node_modules/pg/lib/client.js'),
    node(4, 'send', LANE)
  ],
  samples: [1, 2, 3, 4, 1],
  timeDeltas: [7, 500, 100, 50, 250]
}
const times = timesOf(profile, { count: 5, checkout: '/app' })

t.test('idling is not being busy', async t => {
  t.equal(times.busy, 400 / 900)
})

t.test('time goes to the function on top', async t => {
  t.strictSame(times.self, [
    { name: 'send', place: 'orchestrator/lane.ts:10', share: 350 / 400 },
    { name: 'write', place: 'pg/lib/client.js:10', share: 50 / 400 }
  ])
})

t.test(
  'with what they called, only own functions are shown, and recursion counts once',
  async t => {
    t.strictSame(times.ownTotal, [{ name: 'send', place: 'orchestrator/lane.ts:10', share: 1 }])
  }
)

t.test('a process that had no core for a while is not taken for a busy one', async t => {
  const starved = { ...profile, timeDeltas: [7, 500, 40_000, 500, 500] }
  const { busy, self } = timesOf(starved, { count: 1, checkout: '/app' })
  t.equal(busy, 2_000 / 41_500)
  t.match(self, [{ name: 'send', share: 0.75 }])
})
