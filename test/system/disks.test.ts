/**
 * Disks of workers are full, or hang, while clients write: each worker has a small disk
 * of its own here.
 */
import t from 'tap'
import { Disk } from '../faults/disk.ts'
import { startCluster } from './cluster.ts'
import { lasting } from './faults.ts'
import { survives } from './survives.ts'

const cluster = await startCluster(t)

const FAULT_MS = 6_000

if (!Disk.permitted(cluster.folder.root)) {
  t.comment('skipped: mounting file systems is not permitted here')
} else {
  await cluster.healed(await cluster.smallDisks())
  for (const victim of ['replica', 'master'] as const) {
    await t.test(`the disk of the ${victim} is full`, t =>
      survives(t, cluster, { harm: () => lasting(FAULT_MS, cluster.fillDisk(victim)) })
    )
    await t.test(`the disk of the ${victim} hangs`, t =>
      survives(t, cluster, { harm: () => lasting(FAULT_MS, cluster.hangDisk(victim)) })
    )
  }
}
