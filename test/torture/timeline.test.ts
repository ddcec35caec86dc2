import t from 'tap'
import { Timeline } from './timeline.ts'

t.test('each fault is told with how long clients waited until the next one', async t => {
  let nowMs = 1_000
  const lines: string[] = []
  const timeline = new Timeline(
    line => lines.push(line),
    () => nowMs
  )
  const answered = { writes: [1_000, 1_090, 1_800, 1_900], reads: [1_000, 1_150, 1_900] }
  nowMs = 1_100
  timeline.fault('kill -9 of the master', answered)
  nowMs = 1_300
  timeline.add('cluster', 'worker 7 is master')
  nowMs = 2_000
  timeline.fault('ZooKeeper cut off', answered)
  t.strictSame(lines, [
    '    0.1 s  kill -9 of the master',
    '    0.3 s      worker 7 is master',
    '    1.0 s      no acknowledged write for 0.70 s, no answered read for 0.75 s',
    '    1.0 s  ZooKeeper cut off'
  ])
  t.strictSame(timeline.stalls, [
    { fault: 'kill -9 of the master', atMs: 100, writeGapMs: 700, readGapMs: 750 }
  ])
})
