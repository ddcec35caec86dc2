/**
 * The parts of the page that decide without a browser: where things stand in the picture,
 * words, axes, and the pieces that events come in.
 */
import t from 'tap'
import { layout } from './page/layout.js'
import { planOf } from './page/plan.js'
import { linePath, roundTop, sampleAt, samplesOf } from './page/scale.js'
import { EventParser } from './page/sse.js'
import { ago, figure, summary, told } from './page/words.js'

const worker = (pid: number, role: string, more = {}) => ({
  ...{ id: `w${pid}`, pid, role, inSync: true, index: 9, lag: 0, readsPerS: 1, cpuPercent: 2 },
  ...{ trouble: null, diverged: false, since: '2026-11-22T06:00:00Z' },
  ...more
})
const seen = (workers: object[], more = {}) => ({
  orchestratorId: 'o',
  cluster: {
    ...{ term: 3, master: 'w1', supervisor: 'o', workers },
    replicas: { wanted: 2 },
    orchestrators: [{ id: 'o', http: 'http://x', pid: 7 }],
    ...more
  },
  instances: [
    { id: 'l', service: 'lb', pid: 4, frozen: false },
    { id: 'u', service: 'users-api', pid: 5, frozen: true }
  ],
  broker: { up: true, queues: [{ name: 'readQ', messages: 4, consumers: 2 }] },
  lanes: { depths: {}, unanswered: { writes: 1, reads: 2 } }
})
const WHOLE = [worker(1, 'master'), worker(3, 'replica'), worker(2, 'replica', { lag: 5 })]

t.test('the master stands first, replicas follow by pid', async t => {
  const { boxes } = layout(seen(WHOLE))
  const workers = boxes.filter(({ kind }) => kind === 'worker')
  t.strictSame(
    workers.map(({ title }) => title),
    ['master 1', 'replica 2', 'replica 3']
  )
})

t.test('nothing lies upon anything else, or out of the picture', async t => {
  const many = Array.from({ length: 30 }, (_, n) => worker(n + 2, 'replica'))
  for (const workers of [[], WHOLE, [...WHOLE, ...many]]) {
    const { boxes, width, height } = layout(seen(workers))
    for (const [at, a] of boxes.entries()) {
      t.ok(a.x >= 0 && a.y >= 0 && a.x + a.width <= width && a.y + a.height <= height, a.title)
      for (const b of boxes.slice(at + 1)) {
        const apart = a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y
        t.ok(apart || b.y + b.height <= a.y, `${a.title} and ${b.title}`)
      }
    }
  }
})

t.test('a cluster that nobody leads says so, and what is wanted is shown', async t => {
  const { boxes, edges } = layout(seen([worker(2, 'candidate')], { master: null }))
  t.strictSame(
    boxes.filter(({ kind }) => kind === 'worker').map(({ title }) => title),
    ['Nobody leads', 'candidate 2', 'One more replica']
  )
  t.strictSame(
    edges.filter(({ flow }) => flow === 'write' || flow === 'sync'),
    []
  )
  t.match(summary(seen([], { master: null })), /^Nobody leads\. 0 replicas/)
})

t.test('the picture in words', async t => {
  t.equal(
    summary(seen(WHOLE)),
    'Worker 1 leads in term 3. 2 replicas: 3 in sync, lag 0; 2 in sync, lag 5.'
  )
})

t.test('events are read wherever they are cut', async t => {
  const text = 'event: a\ndata: {"x":1}\n\n: ping\n\nevent: b\ndata: "é"\n\n'
  for (let cut = 0; cut < text.length; cut++) {
    const parser = new EventParser()
    const events = [...parser.take(text.slice(0, cut)), ...parser.take(text.slice(cut))]
    t.strictSame(events, [
      { type: 'a', data: { x: 1 } },
      { type: 'b', data: 'é' }
    ])
  }
})

t.test('axes end at round numbers', async t => {
  t.strictSame([0, 1, 1.5, 3, 7, 12, 999].map(roundTop), [1, 1, 2, 5, 10, 20, 1_000])
})

t.test('a line has gaps where nothing is known', async t => {
  const area = { x: 0, y: 0, width: 100, height: 10 }
  const points = [
    [0, 0],
    [0.5, 10],
    [0.6, null],
    [1, 5]
  ]
  t.equal(linePath(points, 10, area), 'M0.0 10.0L50.0 0.0M100.0 5.0')
})

t.test('columns become samples, and one is found by its time', async t => {
  const samples = samplesOf({ atMs: [1, 2, 3], lag: [4, 5, 6] })
  t.strictSame(sampleAt(samples, 2.5), { atMs: 2, lag: 5 })
  t.equal(sampleAt(samples, 0), undefined)
  t.strictSame(samplesOf({}), [])
})

t.test('figures and times in words', async t => {
  t.strictSame([1234.5, 12.34, 0.314, null].map(figure), ['1,235', '12.3', '0.31', '–'])
  t.strictSame([0, 59, 61].map(ago), ['now', '59 s ago', '1 min 1 s ago'])
  t.equal(
    told({ type: 'elected', pid: 7, term: 2, durationMs: 83 }),
    'Worker 7 leads, term 2, after 83 ms'
  )
})

t.test('a plan, as PostgreSQL tells it', async t => {
  const scan = { 'Node Type': 'Seq Scan', 'Relation Name': 'rides', Alias: 'r', Filter: '(x > 1)' }
  const plan = {
    ...{ 'Node Type': 'Sort', 'Sort Key': ['x', 'y'], 'Plan Rows': 3, 'Total Cost': 20 },
    Plans: [
      {
        ...scan,
        'Plan Rows': 3,
        'Total Cost': 5,
        'Actual Loops': 2,
        'Actual Rows': 4,
        'Actual Total Time': 1.5
      }
    ]
  }
  t.match(planOf({ rows: [{ 'QUERY PLAN': [{ Plan: plan }] }] }), {
    ...{ title: 'Sort', share: 1, notes: ['Sort Key: x, y'], ran: null, ms: null },
    children: [
      {
        title: 'Seq Scan on rides r',
        share: 0.25,
        notes: ['Filter: (x > 1)'],
        ran: { rows: 8, ms: 3 }
      }
    ]
  })
})

t.test('what is frozen, or not there, is seen', async t => {
  const { boxes } = layout(seen(WHOLE))
  const of = (title: string) => boxes.find(box => box.title === title)
  t.match(of('users-api'), { marks: ['frozen'], state: 'coming' })
  t.match(of('rides-api'), { lines: ['none'], state: 'gone' })
  t.match(of('lb'), { lines: ['pid 4'], state: 'well' })
})

t.test('workers are told by their pids where these are known', async t => {
  const event = { type: 'inSync', added: ['a', 'b'], removed: [] }
  t.equal(
    told(event, (id: string) => (id === 'a' ? 7 : id)),
    'In sync now: 7, b'
  )
  t.equal(told(event), 'In sync now: a, b')
})
