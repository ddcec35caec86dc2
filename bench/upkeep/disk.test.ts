import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { type DiskState, DiskWatch, longestStandstillMs } from './disk.ts'

const states = (...all: [atMs: number, completed: number, inFlight: number][]): DiskState[] =>
  all.map(([atMs, completed, inFlight]) => ({ atMs, completed, inFlight }))

t.test('a disk stands still while it has something to do and completes nothing', async t => {
  t.equal(longestStandstillMs([]), 0)
  t.equal(longestStandstillMs(states([0, 5, 1], [10, 5, 2], [90, 5, 4], [100, 9, 1])), 90)
  t.equal(longestStandstillMs(states([0, 5, 1], [10, 6, 1], [20, 7, 1])), 0, 'it works')
  t.equal(longestStandstillMs(states([0, 5, 0], [10, 5, 0], [90, 5, 0])), 0, 'nothing to do')
  t.equal(longestStandstillMs(states([0, 5, 1], [50, 5, 0], [90, 5, 1], [95, 5, 1])), 5, 'between')
})

t.test('the disk below a folder is followed, where Linux tells about it', async t => {
  const dir = mkdtempSync(join(import.meta.dirname, 'disk-'))
  t.teardown(() => rmSync(dir, { recursive: true }))
  using watch = new DiskWatch(dir)
  writeFileSync(join(dir, 'file'), 'x'.repeat(1e6), { flush: true })
  await sleep(50)
  const { longestStandstillMs } = watch
  t.ok(longestStandstillMs === undefined || longestStandstillMs >= 0)
  using none = new DiskWatch('/proc')
  t.equal(none.longestStandstillMs, undefined)
})
