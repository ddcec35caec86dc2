import { spawn } from 'node:child_process'
import t from 'tap'
import { endProcess, identityOf, isAlive } from './identity.ts'

t.test('a process is known by its pid and start time together', async t => {
  const own = identityOf(process.pid)
  t.ok(own && isAlive(own))
  t.notOk(isAlive({ pid: process.pid, startTime: '1' }), 'a recycled pid is another process')
})

t.test('who does not listen to a polite signal is killed after its grace', async t => {
  const child = spawn('sh', ['-c', 'trap "" TERM; echo; while :; do sleep 0.1; done'])
  t.teardown(() => child.kill('SIGKILL'))
  await new Promise(resolve => child.stdout.once('data', resolve))
  const identity = identityOf(child.pid ?? 0)
  t.ok(identity)
  if (!identity) return
  await endProcess(identity, { graceMs: 100 })
  t.notOk(isAlive(identity))
})

t.test('nothing is sent to the process that took over a pid', async t => {
  const child = spawn('sleep', ['20'])
  t.teardown(() => child.kill('SIGKILL'))
  await endProcess({ pid: child.pid ?? 0, startTime: '1' }, { graceMs: 0 })
  t.equal(child.exitCode, null)
  t.ok(identityOf(child.pid ?? 0))
})
