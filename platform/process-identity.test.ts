import { spawn } from 'node:child_process'
import { once } from 'node:events'
import t from 'tap'
import { isAlive, isKnownDead, pidSpace, startTimeOf } from './process-identity.ts'

t.test('a process is known by pid and start time', async t => {
  const startTime = startTimeOf(process.pid) ?? ''
  t.match(startTime, /^\d+$/)
  t.ok(isAlive({ pid: process.pid, startTime }))
  t.notOk(isAlive({ pid: process.pid, startTime: '1' }), 'another one had the pid before')
})

t.test('a process that ended has no start time', async t => {
  const child = spawn(process.execPath, ['-e', ''])
  await once(child, 'exit')
  t.equal(startTimeOf(child.pid ?? 0), undefined)
})

t.test('only of a process that would be seen here is it known that it is dead', async t => {
  const [pid, here] = [process.pid, pidSpace()]
  const startTime = startTimeOf(pid) ?? ''
  const known = (one: Partial<Parameters<typeof isKnownDead>[0]>) =>
    isKnownDead({ pid, startTime, pidSpace: here, ...one })
  t.strictSame(
    [known({}), known({ startTime: '1' }), known({ startTime: '1', pidSpace: 'elsewhere' })],
    [false, true, false]
  )
})
