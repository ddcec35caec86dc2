import t from 'tap'
import { runSchedule } from './schedule.ts'
import { runSeeds } from './seeds.ts'

const SCHEDULES = 300

t.test('on schedules drawn at random, every promise holds', async t => {
  const first = Math.floor(Math.random() * 1e9)
  runSeeds({
    first,
    count: SCHEDULES,
    failed: ({ seed, text }) => t.fail(`${text}; npm run simulate -- --seed ${seed}`)
  })
  t.pass(`${SCHEDULES} schedules from seed ${first}`)
})

t.test('a seed decides everything that happens', async t => {
  const told = (seed: number) => {
    const lines: string[] = []
    runSchedule(seed, { trace: line => lines.push(line) })
    return lines
  }
  t.strictSame(told(7), told(7))
  t.not(told(7).join('\n'), told(8).join('\n'))
})

t.test('a schedule that is told goes as one that is not', async t => {
  t.strictSame(runSchedule(7), runSchedule(7, { trace: () => {} }))
})
