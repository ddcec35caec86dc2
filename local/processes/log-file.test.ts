import { existsSync, mkdtempSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { LogFile } from './log-file.ts'

t.test(
  'a log that grew too large is kept once, and the process writes on in an empty one',
  async t => {
    const dir = mkdtempSync(join(tmpdir(), 'convoy-'))
    t.teardown(() => rmSync(dir, { recursive: true }))
    const path = join(dir, 'a.log')
    const log = new LogFile(path, 10)
    t.teardown(() => log[Symbol.dispose]())

    writeSync(log.fd, '12345\n')
    log.rotate()
    t.notOk(existsSync(`${path}.1`), 'not before it is full')

    writeSync(log.fd, '67890\n')
    log.rotate()
    writeSync(log.fd, 'new\n')
    t.equal(readFileSync(`${path}.1`, 'utf8'), '12345\n67890\n')
    t.equal(readFileSync(path, 'utf8'), 'new\n')
    t.equal(log.tail(), 'new')
  }
)

t.test('the tail is what the process said since its last start, without stacks', t => {
  const dir = mkdtempSync(join(tmpdir(), 'convoy-'))
  t.teardown(() => rmSync(dir, { recursive: true }))
  const log = new LogFile(join(dir, 'a.log'))
  t.teardown(() => log[Symbol.dispose]())
  log.note('a starts')
  writeSync(log.fd, 'of the first run\n')
  log.note('ended: SIGKILL')
  log.note('a starts')
  writeSync(log.fd, 'ConfigError: bad environment:\n  /A must be integer\n    at load (a.ts:1)\n\n')
  log.note('ended: exit code 1')
  t.equal(log.tail(), 'ConfigError: bad environment:\n  /A must be integer')
  t.end()
})
