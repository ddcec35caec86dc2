/**
 * The alert rules before Prometheus's own checks, and their unit tests.
 */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import t from 'tap'
import { installPackages } from '../local/install/install.ts'

const PROMTOOL = '/usr/bin/promtool'

function promtool(...args: string[]) {
  // It comes with the server, which is not started.
  if (!existsSync(PROMTOOL)) installPackages(['prometheus'])
  const { status, stdout, stderr } = spawnSync(PROMTOOL, args, {
    cwd: import.meta.dirname,
    encoding: 'utf8',
    timeout: 60_000
  })
  return { status, said: stdout + stderr }
}

t.test('promtool finds nothing wrong with the rules', async t => {
  const { status, said } = promtool('check', 'rules', 'alerts.yaml')
  t.equal(status, 0, said)
})

t.test('the rules tell when they should, and not before', async t => {
  const { status, said } = promtool('test', 'rules', 'alerts.test.yaml')
  t.equal(status, 0, said)
})
