import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { findLines } from './log-search.ts'

const line = (at: string, fields: object) =>
  `${JSON.stringify({ level: 30, time: at, service: 'x', msg: 'did', ...fields })}\n`

function folders(t: { testdir(): string }) {
  const dir = t.testdir()
  const [logsDir, workersDir] = [join(dir, 'logs'), join(dir, 'workers')]
  for (const name of [logsDir, join(workersDir, '1f')]) mkdirSync(name, { recursive: true })
  writeFileSync(
    join(logsDir, 'lb.log'),
    `--- lb starts\n${line('2', { requestId: 'order-66' })}${line('3', { requestId: 'order-660' })}`
  )
  writeFileSync(join(logsDir, 'rides-api.log.1'), line('1', { ids: ['rides:create:order-66:1'] }))
  writeFileSync(join(workersDir, '1f', 'worker.log'), line('4', { inner: { key: 'order-66' } }))
  return { logsDir, workersDir }
}

t.test('lines of a request are found in all logs, by time', async t => {
  const { sources, lines, more } = await findLines('order-66', folders(t))
  t.strictSame(sources, ['lb', 'rides-api', 'worker 1f'])
  t.strictSame(
    lines.map(({ source, at, level, message }) => [source, at, level, message]),
    [
      ['rides-api', '1', 'info', 'did'],
      ['lb', '2', 'info', 'did'],
      ['worker 1f', '4', 'info', 'did']
    ]
  )
  t.equal(more, false)
})

t.test('a part of an id is no id, and a pattern none either', async t => {
  const dirs = folders(t)
  for (const id of ['order', 'order-6', '.*', '../lb']) {
    t.strictSame((await findLines(id, dirs)).lines, [], id)
  }
})

t.test('so many lines are given, and the last 16 MiB of a file are read', async t => {
  const dirs = folders(t)
  const many = line('5', { requestId: 'busy' }).repeat(600)
  const text = `${line('0', { requestId: 'old' })}${'x'.repeat(99)}\n${many}`
  writeFileSync(join(dirs.logsDir, 'lb.log'), text + `${'y'.repeat(1_000)}\n`.repeat(17_000))
  const { lines, more } = await findLines('old', dirs)
  t.strictSame([lines.length, more], [0, false])
  writeFileSync(join(dirs.logsDir, 'lb.log'), text)
  const busy = await findLines('busy', dirs)
  t.strictSame([busy.lines.length, busy.more], [500, true])
})

t.test('folders that are not there hold nothing', async t => {
  const { sources, lines } = await findLines('order-66', {
    logsDir: undefined,
    workersDir: '/nowhere'
  })
  t.strictSame([sources, lines], [[], []])
})
