/**
 * Every state in which writes cannot succeed has a test here, in the order of `WHYS`.
 */
import t from 'tap'
import type { WorkerNode } from '../wire/znodes.ts'
import { type Cluster, NOTHING_KNOWN } from './cluster-view.ts'
import {
  type Facts,
  lasting,
  NONE_WAITS,
  noteObstacles,
  noteWrites,
  type Obstacle,
  obstaclesOf,
  type Waiting,
  WHYS
} from './obstacles.ts'

const node = (role: WorkerNode['role'], more: Partial<WorkerNode> = {}): WorkerNode =>
  ({
    ...{ pid: 1, role, term: 3, last: { index: 9, term: 3 }, diverged: false },
    ...{ trouble: null, reachesAmqp: true, ...more }
  }) as WorkerNode

const cluster = (workers: Record<string, WorkerNode>, inSync = ['a', 'b']): Cluster => ({
  ...NOTHING_KNOWN,
  known: true,
  supervisor: 'o',
  state: { clusterId: 'c', term: 3, master: 'a', inSync },
  workers: new Map(Object.entries(workers))
})

const WELL: Facts = {
  ...{ cluster: cluster({ a: node('master'), b: node('replica') }), absences: new Map() },
  ...{ minCopies: 2, zookeeper: true, broker: 'up', frozen: false, writesDisabled: false },
  ...{ writes: NONE_WAITS, nowMs: 100_000 }
}

const found = (more: Partial<Facts>): Obstacle[] => obstaclesOf({ ...WELL, ...more })
const whys = (more: Partial<Facts>) => found(more).map(({ why }) => why)
const workers = (more: Record<string, WorkerNode>, inSync?: string[]) => ({
  cluster: cluster({ a: node('master'), b: node('replica'), ...more }, inSync)
})

t.test('nothing keeps writes from a cluster that is well', async t => {
  t.strictSame(whys({}), [])
  t.strictSame(whys(workers({ c: node('joining') })), [])
  const alone = { cluster: cluster({ a: node('master') }, ['a']), minCopies: 1 }
  t.strictSame(whys(alone), [])
})

t.test('inSyncGone, memoryLost: an operator has to decide', async t => {
  const absences = new Map([
    ['a', { sinceMs: 0, last: null }],
    ['b', { sinceMs: 0, last: null }]
  ])
  const gone = found({ cluster: cluster({ c: node('joining') }), absences })
  t.strictSame(
    gone.map(({ why }) => why),
    ['inSyncGone']
  )
  t.strictSame(
    gone[0]?.missing.map(({ id }) => id),
    ['a', 'b']
  )
  t.strictSame(whys({ cluster: cluster({ a: node('fenced'), b: node('fenced') }) }), ['memoryLost'])
})

t.test('frozen, writesDisabled: as an operator wants it', async t => {
  t.strictSame(whys({ frozen: true }), ['frozen'])
  t.strictSame(whys({ writesDisabled: true }), ['writesDisabled'])
})

t.test('noRabbitMQ, rabbitMQBlocks, noZooKeeper: what the orchestrator needs is away', async t => {
  t.strictSame(whys({ broker: 'down' }), ['noRabbitMQ'])
  t.strictSame(whys({ broker: 'blocked' }), ['rabbitMQBlocks'])
  t.strictSame(whys({ zookeeper: false }), ['noZooKeeper'])
})

t.test('clusterUnknown: nobody has made it, or nothing was heard', async t => {
  t.strictSame(whys({ cluster: NOTHING_KNOWN }), ['clusterUnknown'])
  t.strictSame(whys({ cluster: { ...WELL.cluster, state: null } }), ['clusterUnknown'])
})

t.test('noMaster: while one is elected', async t => {
  const candidates = { a: node('candidate'), b: node('candidate') }
  t.strictSame(whys({ cluster: cluster(candidates) }), ['noMaster'])
  const former = workers({ a: node('master', { term: 2 }) })
  t.strictSame(whys(former), ['noMaster'], 'one of an earlier term leads nobody')
})

t.test('masterInTrouble: its disk is full or hangs, or its PostgreSQL is silent', async t => {
  const three = (trouble: string) =>
    workers({ a: node('master', { trouble }), c: node('replica') }, ['a', 'b', 'c'])
  t.strictSame(whys(three('its disk is full')), ['masterInTrouble'])
  t.match(found(three('its disk hangs'))[0]?.message, 'master a: its disk hangs')
})

t.test('masterWithoutRabbitMQ', async t => {
  t.strictSame(whys(workers({ a: node('master', { reachesAmqp: false }) })), [
    'masterWithoutRabbitMQ'
  ])
})

t.test('tooFewCopies: a replica is gone, in trouble, or out of step', async t => {
  t.strictSame(whys({ cluster: cluster({ a: node('master') }) }), ['tooFewCopies'])
  t.strictSame(whys({ cluster: cluster({ a: node('master') }, ['a']) }), ['tooFewCopies'])
  t.strictSame(whys(workers({ b: node('replica', { trouble: 'its disk is full' }) })), [
    'tooFewCopies'
  ])
  t.strictSame(whys(workers({ b: node('replica', { diverged: true }) })), ['tooFewCopies'])
  t.strictSame(whys(workers({ b: node('fenced') })), ['tooFewCopies'])
  const spare = workers({ b: node('fenced'), c: node('replica') }, ['a', 'b', 'c'])
  t.strictSame(whys(spare), [], 'one that is to spare is not missed')
})

t.test('of missing copies it is said who is to become one, and how far that is', async t => {
  const said = (more: Record<string, WorkerNode>, supervisor: string | null = 'o') => {
    const alone = { ...cluster({ a: node('master'), ...more }), supervisor }
    return found({ cluster: alone })[0]?.message
  }
  t.match(said({}), /1 of at least 2 in-sync workers serve \(b is gone\).*supervisor is to start/)
  t.match(said({}, null), /No orchestrator supervises/)
  const copying = { donor: 'a', since: '2026-01-01T00:00:00Z', percent: 40 }
  t.match(said({ c: node('joining', { copying }) }), /c copies a since 2026.*, 40 % done/)
  const trouble = 'the copy of a failed: all senders are taken'
  t.match(said({ c: node('joining', { trouble }) }), /c: the copy of a failed: all senders/)
  t.match(said({ c: node('joining') }), /c has its copy, and catches up from index 9/)
})

function waits(
  looks: readonly { readonly atMs: number; readonly waiting: number; readonly answered: number }[]
): Waiting {
  return looks.reduce(
    (writes, { atMs, ...now }) => noteWrites(writes, { ...now, nowMs: atMs }),
    NONE_WAITS
  )
}

t.test('writesUnanswered: writes wait, and none is answered, whatever the reason', async t => {
  const writes = waits([
    { atMs: 0, waiting: 1, answered: 5 },
    { atMs: 5_000, waiting: 1, answered: 5 },
    // Those that waited were given up at their deadlines; others came.
    { atMs: 6_000, waiting: 0, answered: 5 },
    { atMs: 7_000, waiting: 2, answered: 5 }
  ])
  t.strictSame(whys({ writes, nowMs: 7_999 }), [])
  t.strictSame(whys({ writes, nowMs: 8_000 }), ['writesUnanswered'])
  t.match(found({ writes, nowMs: 9_000 })[0]?.message, 'none was answered for 9 s')
})

t.test(
  'writes that are answered one after the other are no obstacle, however many wait',
  async t => {
    const looks = [0, 5, 10, 15, 20].map(s => ({ atMs: s * 1_000, waiting: 400, answered: s }))
    t.strictSame(whys({ writes: waits(looks), nowMs: 21_000 }), [])
  }
)

t.test('unanswered writes are forgotten with the next answer, or when nobody asks', async t => {
  const unanswered = { atMs: 0, waiting: 1, answered: 5 }
  const answered = waits([unanswered, { atMs: 9_000, waiting: 0, answered: 6 }])
  t.equal(answered.sinceMs, null)
  const soon = waits([unanswered, { atMs: 2_500, waiting: 0, answered: 5 }])
  t.equal(soon.sinceMs, 0)
  t.equal(noteWrites(soon, { waiting: 0, answered: 5, nowMs: 3_500 }).sinceMs, null)
})

t.test('what passes as quickly as a failover is not told', async t => {
  const obstacle = (why: Obstacle['why']): Obstacle => ({ why, message: '', missing: [] })
  const passing = [obstacle('noMaster')]
  const since = noteObstacles(new Map(), passing, 0)
  t.strictSame(lasting(passing, { since, nowMs: 2_000 }), [])
  t.strictSame(lasting(passing, { since, nowMs: 2_500 }), passing)
  const another = noteObstacles(since, [obstacle('tooFewCopies')], 2_000)
  t.strictSame([...another], [['tooFewCopies', 2_000]], 'each has its own time')
  const known = WHYS.filter(why => lasting([obstacle(why)], { since: new Map(), nowMs: 0 }).length)
  t.strictSame(known, ['inSyncGone', 'memoryLost', 'frozen', 'writesDisabled'])
})
