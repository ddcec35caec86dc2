import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { NotReadyError, WatchedProcess } from './watched.ts'

const READY_MS = 10_000

function watch(t: Test, script: string, ready: (dir: string) => boolean) {
  const dir = mkdtempSync(join(tmpdir(), 'convoy-'))
  const spec = {
    ...{ name: 'it', command: 'sh', args: ['-c', script], env: { PATH: '/usr/bin:/bin' } },
    ...({ deathSignal: 'KILL', graceMs: 1_000, ready: async () => ready(dir) } as const)
  }
  const around = { logsDir: dir, pidsDir: dir, cwd: dir, say: () => {} }
  const watched = new WatchedProcess(spec, around)
  t.teardown(async () => {
    await watched.stop()
    rmSync(dir, { recursive: true })
  })
  return {
    watched,
    starts: () => readFileSync(join(dir, 'it.log'), 'utf8').split('it starts').length - 1
  }
}

t.test('one that fails at each of its first starts is given up, with what it said', async t => {
  const { watched, starts } = watch(t, 'echo bad environment; exit 1', () => false)
  const failure = await watched.untilReady(READY_MS).catch(err => err)
  t.type(failure, NotReadyError)
  t.match(failure.message, /^it ended 4 times as it started \(exit code 1\); .*\nbad environment$/)
  t.equal(starts(), 4)
})

t.test('one that was ready before is started for ever', async t => {
  let isReady = true
  const { watched, starts } = watch(t, 'sleep 0.05; exit 1', () => isReady)
  await watched.untilReady(READY_MS)
  isReady = false
  const again = watched.untilReady(READY_MS)
  while (starts() < 6) await new Promise(resolve => setTimeout(resolve, 20))
  isReady = true
  await again
})
