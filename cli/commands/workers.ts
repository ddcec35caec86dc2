/**
 * `convoy workers`: one line for each.
 */

import { clusterOf, type WorkerNow } from '../cluster.ts'
import { command, printJson } from '../command.ts'
import { orchestratorsOf } from '../orchestrator.ts'
import { type Column, stdout, table } from '../terminal.ts'
import { ageText } from '../text.ts'

const columnsAt = (nowMs: number): readonly Column<WorkerNow>[] => [
  { head: 'pid', right: true, text: ({ pid }) => String(pid) },
  { head: 'role', text: ({ role }) => role, style: ({ role }) => roleStyle(role) },
  {
    head: 'in sync',
    text: ({ inSync }) => (inSync ? 'yes' : 'no'),
    style: ({ inSync }) => (inSync ? 'green' : 'yellow')
  },
  { head: 'index', right: true, text: ({ index }) => String(index) },
  { head: 'lag', right: true, text: ({ lag }) => String(lag) },
  { head: 'reads/s', right: true, text: ({ readsPerS }) => readsPerS.toFixed(0) },
  { head: 'cpu', right: true, text: ({ cpuPercent }) => `${cpuPercent.toFixed(0)} %` },
  { head: 'memory', right: true, text: ({ memoryMiB }) => `${memoryMiB.toFixed(0)} MiB` },
  { head: 'since', right: true, text: ({ since }) => ageText(since, nowMs) },
  { head: 'host', text: ({ host }) => host },
  { head: 'id', text: ({ id }) => id },
  { head: 'trouble', text: ({ trouble }) => trouble ?? '', style: () => 'red' }
]

const roleStyle = (role: string) =>
  role === 'master' ? 'cyan' : role === 'replica' ? 'green' : 'yellow'

/** Without a column that has nothing to say. */
export const workersTable = (workers: readonly WorkerNow[], nowMs = Date.now()): string =>
  table(
    columnsAt(nowMs).filter(
      ({ head }) => head !== 'trouble' || workers.some(({ trouble }) => trouble)
    ),
    [...workers].sort((a, b) => a.pid - b.pid)
  )

export const workers = command({
  usage: 'workers',
  describe: 'Lists the workers: role, in sync or not, lag, load',
  examples: [
    ['$0 workers', 'a line for each'],
    ["$0 workers --json | jq -r '.[].pid'", 'their pids']
  ],
  async run(args) {
    const cluster = await clusterOf(orchestratorsOf(args))
    if (args.json) printJson(cluster.workers)
    else stdout(workersTable(cluster.workers))
    return undefined
  }
})
