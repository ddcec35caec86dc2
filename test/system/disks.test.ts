/**
 * Disks of workers are full, or hang, while clients write: each worker has a small disk
 * of its own here.
 */
import t from 'tap'
import { startCluster } from '../../testing/cluster/cluster.ts'
import { tryWrite } from '../../testing/cluster/database.ts'
import { lasting } from '../../testing/cluster/faults.ts'
import { Disk } from '../../testing/faults/disk.ts'
import { untilReady, untilReason } from './readiness.ts'
import { survives } from './survives.ts'

const cluster = await startCluster(t)

const FAULT_MS = 6_000

if (!Disk.permitted(cluster.folder.root)) {
  t.comment('skipped: mounting file systems is not permitted here')
} else {
  await cluster.healed(await cluster.smallDisks())
  await t.test('the disks of all replicas are full: readyz says what writes wait for', async t => {
    const { workers } = await cluster.now()
    const replicas = workers.filter(({ role }) => role === 'replica')
    const full = await Promise.all(
      replicas.map(({ id }) => cluster.fillDisk(`worker ${id}` as const))
    )
    const table = { sql: 'create table if not exists filling (id int primary key, v text)' }
    const waiting = tryWrite(cluster, [table])
    t.match(await untilReason(cluster, 'tooFewCopies', /disk is full/), /1 of at least 2/)
    for (const fault of full) await fault.heal()
    await waiting
    await untilReady(cluster)
    await cluster.healed()
    t.equal((await tryWrite(cluster, [table])).status, 200)
  })
  for (const victim of ['replica', 'master'] as const) {
    await t.test(`the disk of the ${victim} is full`, t =>
      survives(t, cluster, { harm: () => lasting(FAULT_MS, cluster.fillDisk(victim)) })
    )
    await t.test(`the disk of the ${victim} hangs`, t =>
      survives(t, cluster, { harm: () => lasting(FAULT_MS, cluster.hangDisk(victim)) })
    )
  }
}
