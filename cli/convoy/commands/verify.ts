/**
 * `convoy verify`: every worker compares its rows, schema, sequences and log with the
 * master's at one index of the log. Ends with 1 when any worker differs.
 */
import { command, printJson, type Where } from '../command.ts'
import { orchestratorsOf } from '../orchestrator.ts'
import { EXIT } from '../outcome.ts'
import { Progress, stdout, styled, table } from '../terminal.ts'

const TIMEOUT_MS = 60_000

interface Verified {
  readonly index: number
  readonly tables: readonly {
    readonly table: string
    readonly rows: string
    readonly sum: string
  }[]
  readonly objects?: Readonly<Record<string, number>>
  readonly workers: readonly {
    readonly id: string
    readonly pid: number
    readonly equal: boolean
    readonly differing: readonly string[]
  }[]
}

export const verify = command({
  usage: 'verify',
  describe: 'Compares rows, schema, sequences and log of all workers, by checksum',
  examples: [
    ['$0 verify', 'the system that runs in this checkout'],
    ['$0 verify --url http://127.0.0.1:8090', 'another one']
  ],
  async run(args) {
    const verified = await sums(args)
    if (args.json) printJson(verified)
    else stdout(verifiedText(verified))
    return verified.workers.every(({ equal }) => equal) ? EXIT.done : EXIT.failed
  }
})

async function sums(where: Where): Promise<Verified> {
  using _progress = new Progress('comparing all workers')
  const path = '/api/v1/cluster/verify'
  return await orchestratorsOf(where).call<Verified>({
    method: 'POST',
    path,
    reads: true,
    timeoutMs: TIMEOUT_MS
  })
}

export function verifiedText({ index, tables, objects = {}, workers }: Verified): string {
  const columns = [
    { head: 'table', text: (one: Verified['tables'][number]) => one.table },
    { head: 'rows', right: true, text: (one: Verified['tables'][number]) => one.rows },
    { head: 'sum', text: (one: Verified['tables'][number]) => one.sum }
  ]
  const told = workers.map(({ id, pid, equal, differing }) => {
    const differs = `DIFFERS in ${differing.join(', ')}`
    return `  worker ${id} (pid ${pid}): ${equal ? styled('green', 'equal') : styled('red', differs)}`
  })
  const counts = Object.entries(objects).map(([kind, count]) => `${kind} ${count}`)
  const compared = counts.length === 0 ? [] : [`compared: ${counts.sort().join(', ')}`]
  return [table(columns, tables), ...compared, `at index ${index}:`, ...told].join('\n')
}
