/**
 * No file that a running system makes is open to other users of the machine. Looked at
 * as they would find it: by the mode of each file, after a start.
 */
import { lstatSync, readdirSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { startCluster } from '../../testing/cluster/cluster.ts'
import { write } from '../../testing/cluster/database.ts'

const cluster = await startCluster(t)

await t.test('every file and folder is closed to group and others', async t => {
  await write(cluster, { sql: 'create table kept (id int primary key)' })
  const { root, workers, rabbitMq } = cluster.folder
  const found = [root, ...pathsBelow(root)]
  t.ok(found.length > 500, `${found.length} files`)
  t.ok(found.some(path => path.startsWith(rabbitMq)))
  // The users that the servers run as pass through these two, and read neither.
  const passed = new Set([realpathSync(root), realpathSync(workers)])
  const open = found.flatMap(path => {
    const { mode } = lstatSync(path)
    const others = mode & (passed.has(path) ? 0o066 : 0o077)
    return others === 0 ? [] : [`${(mode & 0o777).toString(8)} ${path.slice(root.length)}`]
  })
  t.strictSame(open, [])
})

/** Links are not followed: RabbitMQ's lead to Debian's own files. */
function pathsBelow(dir: string): string[] {
  const entries = readdirSync(dir, { withFileTypes: true })
  return entries.flatMap(entry => {
    const path = join(dir, entry.name)
    if (entry.isSymbolicLink()) return []
    return entry.isDirectory() ? [path, ...pathsBelow(path)] : [path]
  })
}
