import t from 'tap'
import type { Sender } from '../store.ts'
import { BOUNDS, type Copies, copyName, leftoversOf, watchCopies } from './copies.ts'

const sender = (pid: number, name: string, progress = ''): Sender => ({ pid, name, progress })
const W = copyName('w1')

function watch(
  looks: readonly {
    readonly atMs: number
    readonly senders: readonly Sender[]
    readonly registered?: readonly string[] | null
  }[]
): Copies {
  return looks.reduce<Copies>((copies, { atMs, senders, registered = ['w1'] }) => {
    const known = registered === null ? null : new Set(registered)
    return watchCopies(copies, { senders, registered: known, nowMs: atMs })
  }, new Map())
}

const ended = (copies: Copies, nowMs: number) =>
  leftoversOf(copies, nowMs).map(({ pids, why }) => [why, ...pids])

t.test('a copy that moves is left alone, however long it takes', async t => {
  const looks = [0, 40_000, 80_000, 120_000].map(atMs => {
    return { atMs, senders: [sender(1, W, `streaming ${atMs}`), sender(2, W)] }
  })
  t.strictSame(ended(watch(looks), 120_000), [])
})

t.test('a copy that stands still is ended, with all its connections', async t => {
  const senders = [sender(1, W, 'streaming 7'), sender(2, W)]
  const copies = watch([
    { atMs: 0, senders },
    { atMs: 40_000, senders }
  ])
  t.strictSame(ended(copies, BOUNDS.stalledMs - 1), [])
  t.strictSame(ended(copies, BOUNDS.stalledMs), [['no progress', 1, 2]])
})

t.test('the receiver of the log alone is no progress', async t => {
  const copies = watch([
    { atMs: 0, senders: [sender(1, W, 'streaming 7'), sender(2, W)] },
    { atMs: 1_000, senders: [sender(2, W)] },
    { atMs: 40_000, senders: [sender(2, W)] }
  ])
  t.strictSame(ended(copies, 1_000 + BOUNDS.stalledMs), [['no progress', 2]])
})

t.test('a copy of a worker that is gone is ended soon', async t => {
  const moving = [0, 2_000, 4_000, 6_000].map(atMs => {
    return { atMs, senders: [sender(1, W, `streaming ${atMs}`)], registered: ['other'] }
  })
  t.strictSame(ended(watch(moving.slice(0, 3)), 4_000), [])
  t.strictSame(ended(watch(moving), 6_000), [['the worker that copies is gone', 1]])
})

t.test('a worker that registers again in time keeps its copy', async t => {
  const senders = [sender(1, W)]
  const copies = watch([
    { atMs: 0, senders, registered: [] },
    { atMs: 4_000, senders },
    { atMs: 6_000, senders, registered: [] }
  ])
  t.strictSame(ended(copies, 8_000), [])
})

t.test('without ZooKeeper nobody is taken for gone', async t => {
  const senders = [0, 10_000, 20_000].map(atMs => [sender(1, W, `streaming ${atMs}`)] as const)
  const looks = senders.map((one, i) => ({ atMs: i * 10_000, senders: one, registered: null }))
  t.strictSame(ended(watch(looks), 20_000), [])
})

t.test('a backup is no worker, and may stand still for longer', async t => {
  const senders = [sender(1, 'convoy_backup', 'streaming 7'), sender(2, 'convoy_backup')]
  const copies = watch([{ atMs: 0, senders, registered: [] }])
  t.strictSame(ended(copies, BOUNDS.stalledMs), [])
  t.strictSame(ended(copies, BOUNDS.backupStalledMs), [['no progress', 1, 2]])
})
