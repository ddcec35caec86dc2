import t from 'tap'
import type { ClusterState, WorkerNode } from '../../wire/znodes.ts'
import { bestOf, chosen, loose, lossOf, newState, situationOf } from './choice.ts'
import { lossText, reportOf } from './report.ts'
import type { KnownWorker, Survey } from './survey.ts'

const live = (role: WorkerNode['role'], index: number, term = 3, more: Partial<WorkerNode> = {}) =>
  ({
    ...{ pid: 7, host: 'h', role, term, last: { index, term }, clusterId: 'c' },
    ...{ diverged: false, trouble: null },
    ...more
  }) as WorkerNode

const worker = (id: string, fields: Partial<KnownWorker>): KnownWorker => ({
  id,
  live: null,
  place: null,
  missing: null,
  ...fields
})

const gone = (id: string, index: number) =>
  worker(id, { missing: { id, goneForMs: 12_000, last: { index, term: 3 } } })

const state: ClusterState = { clusterId: 'c', term: 3, master: 'a', inSync: ['a', 'b'] }
const survey = (...workers: KnownWorker[]): Survey => ({ node: { state, version: 8 }, workers })
const place = { name: 'p', workerId: 'b', pid: null }

const LOST = survey(gone('a', 120), gone('b', 118), worker('c', { live: live('joining', 100) }))

t.test('nobody chooses while somebody leads, or can be elected', async t => {
  const led = survey(worker('a', { live: live('master', 9) }), gone('b', 9))
  t.strictSame(situationOf(led), { kind: 'led', master: 'a' })
  const alone = survey(gone('a', 9), worker('b', { live: live('replica', 9) }))
  t.strictSame(situationOf(alone), { kind: 'electable', workers: ['b'] })
  t.strictSame(situationOf({ node: null, workers: [] }), { kind: 'new' })
})

t.test('every in-sync worker gone: what a choice is known to lose', async t => {
  t.strictSame(situationOf(LOST), { kind: 'inSyncGone' })
  const [survivor] = chosen(LOST, ['c'])
  t.strictSame(survivor && lossOf(survivor, LOST), {
    upTo: { index: 120, term: 3 },
    unknown: false,
    unseen: []
  })
  t.match(survivor && lossText(survivor, LOST), /at least 20 entries/)
  const report = reportOf(LOST, situationOf(LOST), '')
  t.match(report, /a, in sync: gone for 12 s/)
  t.match(report, /--survivor c --accept-loss/)
})

t.test('what nobody could be asked is told, and is no reason to expect no loss', async t => {
  const unasked = ['http://127.0.0.1:8090: no token']
  const found = { ...survey(worker('a', {}), worker('c', { live: live('joining', 100) })), unasked }
  const [survivor] = chosen(found, ['c'])
  t.equal(
    survivor && lossText(survivor, found),
    'no entry is known that it does not have; but nobody knows where the log of a ended'
  )
  t.match(reportOf(found, situationOf(found), ''), /could not be asked .*8090: no token/)
})

t.test('what is written has a term above all others, and leads nobody', async t => {
  const ahead = survey(gone('a', 120), worker('c', { live: live('fenced', 100, 6) }))
  t.strictSame(newState(ahead, chosen(ahead, ['c'])), {
    clusterId: 'c',
    term: 7,
    master: null,
    inSync: ['c'],
    keepDiverged: 7
  })
})

t.test('after a loss of memory the best are those with the highest (term, index)', async t => {
  const workers = [
    worker('a', { live: live('fenced', 50, 3) }),
    worker('b', { live: live('fenced', 40, 4) }),
    worker('c', { live: live('fenced', 40, 4) }),
    worker('d', { live: live('fenced', 90, 5, { diverged: true }) })
  ]
  const found: Survey = { node: null, workers }
  t.strictSame(situationOf(found), { kind: 'memoryLost' })
  const best = bestOf(workers)
  t.strictSame(
    best.map(({ id }) => id),
    ['b', 'c']
  )
  t.match(newState(found, best), { clusterId: 'c', term: 6, inSync: ['b', 'c'] })
})

t.test('data without a /state and without a worker that runs is a loss of memory too', async t => {
  const found: Survey = { node: null, workers: [worker('b', { place })] }
  t.strictSame(situationOf(found), { kind: 'memoryLost' })
  t.throws(() => newState(found, found.workers), /does not run/)
})

t.test('survivors are named by the beginning of their ids, and hold the same', async t => {
  t.throws(() => chosen(LOST, ['x']), /no worker of: a, b, c/)
  t.throws(() => chosen(LOST, ['']), /more than one/)
  t.throws(() => chosen(LOST, ['a', 'c']), /do not hold the same/)
})

t.test('one that has no data yet is no choice', async t => {
  const empty = worker('n', { live: live('joining', 0, 0, { clusterId: null }) })
  const found = survey(gone('a', 1), gone('b', 1), empty)
  t.notMatch(reportOf(found, situationOf(found), ''), /--survivor n/)
  t.throws(() => chosen(found, ['n']), /has no data/)
})

t.test('an in-sync worker that runs unregistered stands in the way', async t => {
  const frozen = worker('b', { place: { ...place, pid: 99 } })
  const found = survey(gone('a', 1), frozen, worker('c', { live: live('joining', 1) }))
  t.strictSame(loose(found, chosen(found, ['c'])), [frozen])
  t.strictSame(loose(found, [frozen]), [])
})
