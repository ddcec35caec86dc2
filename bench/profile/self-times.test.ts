import t from 'tap'
import { selfTimes } from './self-times.ts'

const node = (id: number, functionName: string, url: string) => ({
  id,
  callFrame: { functionName, url, lineNumber: 9 }
})

t.test('time goes to the function on top, and idling counts as none', async t => {
  const profile = {
    nodes: [
      node(1, '(idle)', ''),
      node(2, 'parse', 'file:///app/orchestrator/lane.ts'),
      node(3, 'write', 'file:///app/node_modules/pg/lib/client.js'),
      node(4, 'parse', 'file:///app/orchestrator/lane.ts')
    ],
    samples: [1, 2, 3, 4, 1],
    timeDeltas: [7, 500, 100, 50, 250]
  }
  t.strictSame(selfTimes(profile, { count: 5, checkout: '/app' }), {
    busy: 400 / 900,
    top: [
      { name: 'parse', place: 'orchestrator/lane.ts:10', share: 350 / 400 },
      { name: 'write', place: 'pg/lib/client.js:10', share: 50 / 400 }
    ]
  })
})
