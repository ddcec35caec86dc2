/**
 * `convoy verify`: all workers compare their rows, schema, sequences and log, in the
 * background. Ends with 1 when any worker differs, with 6 when one was left out.
 */
import { type Arguments, command, printJson } from '../command.ts'
import { type Call, orchestratorsOf } from '../orchestrator.ts'
import { EXIT, type ExitCode } from '../outcome.ts'
import { Progress, stdout, styled, table } from '../terminal.ts'

const PATH = '/api/v1/cluster/verify'
/** The orchestrator waits for the end for 20 s at most. */
const TIMEOUT_MS = 60_000

export interface Verified {
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
    readonly verdict: 'equal' | 'wrong' | 'undecided'
    readonly differing: readonly string[]
  }[]
  readonly leftOut: readonly { readonly id: string; readonly why: string }[]
  readonly skipped: readonly string[]
}

interface Running {
  readonly id: string
  readonly parts: number
  readonly tablesLeft: number
}

export const verify = command({
  usage: 'verify',
  describe: 'Compares rows, schema, sequences and log of all workers, by checksum',
  examples: [
    ['$0 verify', 'the system that runs in this checkout'],
    ['$0 verify --url http://127.0.0.1:8090', 'another one'],
    ['$0 verify --trust 3f2a91c0-77d1', 'whoever differs from this worker is wrong']
  ],
  options: yargs =>
    yargs.option('trust', {
      type: 'string',
      requiresArg: true,
      describe: 'A worker whose data is right, where workers differ without a majority'
    }),
  async run(args) {
    const verified = await result(args)
    if (args.json) printJson(verified)
    else stdout(verifiedText(verified))
    return exitCodeOf(verified)
  }
})

async function result(args: Arguments<{ trust?: string | undefined }>): Promise<Verified> {
  using _progress = new Progress('comparing all workers')
  const orchestrators = orchestratorsOf(args)
  const body = args.trust === undefined ? {} : { trust: args.trust }
  let call: Call = { method: 'POST', path: PATH, body, reads: true, timeoutMs: TIMEOUT_MS }
  for (;;) {
    const told = await orchestrators.call<Verified | Running>(call)
    if ('workers' in told) return told
    call = { method: 'GET', path: PATH, timeoutMs: TIMEOUT_MS }
  }
}

export function exitCodeOf({ workers, leftOut, skipped }: Verified): ExitCode {
  if (!workers.every(({ equal }) => equal)) return EXIT.failed
  return leftOut.length + skipped.length === 0 ? EXIT.done : EXIT.incomplete
}

export function verifiedText(verified: Verified): string {
  const { index, tables, objects = {}, workers, leftOut, skipped } = verified
  const columns = [
    { head: 'table', text: (one: Verified['tables'][number]) => one.table },
    { head: 'rows', right: true, text: (one: Verified['tables'][number]) => one.rows },
    { head: 'sum', text: (one: Verified['tables'][number]) => one.sum }
  ]
  const told = workers.map(one => `  worker ${one.id} (pid ${one.pid}): ${foundText(one)}`)
  const missed = leftOut.map(
    ({ id, why }) => `  worker ${id}: ${styled('yellow', `LEFT OUT: ${why}`)}`
  )
  const counts = Object.entries(objects).map(([kind, count]) => `${kind} ${count}`)
  const compared = counts.length === 0 ? [] : [`compared: ${counts.sort().join(', ')}`]
  const without = skipped.length === 0 ? [] : [`not compared: ${skipped.join(', ')}`]
  const advice = workers.some(({ verdict }) => verdict === 'undecided')
    ? ['No majority agrees, so nothing is replaced. Decide with: convoy verify --trust <worker>']
    : []
  const lines = [...compared, ...without, `from index ${index} on:`, ...told, ...missed, ...advice]
  return [table(columns, tables), ...lines].join('\n')
}

function foundText({ equal, verdict, differing }: Verified['workers'][number]): string {
  if (equal) return styled('green', 'equal')
  const what = differing.join(', ')
  if (verdict === 'equal') return styled('yellow', `trusted; itself DIFFERS in ${what}`)
  const then = verdict === 'wrong' ? '; it is replaced' : '; undecided'
  return styled('red', `DIFFERS in ${what}${then}`)
}
