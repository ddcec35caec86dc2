/**
 * `convoy scale`: how many replicas, fixed or within bounds.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { type ClusterNow, clusterOf } from '../cluster.ts'
import { type Arguments, command, printJson } from '../command.ts'
import { type Orchestrators, orchestratorsOf } from '../orchestrator.ts'
import { CommandError, EXIT, UsageError } from '../outcome.ts'
import { Progress, stdout } from '../terminal.ts'
import { plural } from '../text.ts'

/** As the orchestrator's API takes it. */
export type Wanted = { readonly count: number } | { readonly min: number; readonly max: number }

const LOOK_MS = 500

/** @throws UsageError for what is neither `3` nor `2..5` */
export function wantedOf(text: string): Wanted {
  const [, min, max] = /^(\d{1,3})\.\.(\d{1,3})$/.exec(text) ?? []
  if (min !== undefined && max !== undefined) return { min: Number(min), max: Number(max) }
  if (/^\d{1,3}$/.test(text)) return { count: Number(text) }
  throw new UsageError(`"${text}" is neither a number of replicas nor bounds such as 2..5`)
}

interface Own {
  readonly replicas: string | undefined
  readonly wait: boolean
  readonly timeout: number
}

export const scale = command<Own>({
  usage: 'scale [replicas]',
  describe: 'Sets the number of replicas, or the bounds of the policy',
  options: yargs =>
    yargs
      .positional('replicas', {
        type: 'string',
        describe: 'A fixed number (3), or bounds for the policy (2..5); shows them if left out'
      })
      .option('wait', { type: 'boolean', default: false, describe: 'Until as many serve' })
      .option('timeout', { type: 'number', default: 120, describe: 'Seconds to wait at most' }),
  examples: [
    ['$0 scale', 'how many there are, and how many are wanted'],
    ['$0 scale 4 --wait', 'four replicas; returns when they serve'],
    ['$0 scale 2..5', 'as the policy says, within these bounds']
  ],
  epilogue: 'A fixed number chooses the policy `fixed`; `convoy policy load` goes back.',
  run: async args => {
    const body = args.replicas === undefined ? undefined : wantedOf(args.replicas)
    const orchestrators = orchestratorsOf(args)
    if (body !== undefined) {
      await orchestrators.call({ method: 'PUT', path: '/api/v1/cluster/replicas', body })
      if (args.wait) await untilThere(orchestrators, { body, args })
    }
    const { replicas, policy } = await clusterOf(orchestrators)
    if (args.json) printJson(replicas)
    else stdout(replicasText({ replicas, policy }))
    return undefined
  }
})

export function replicasText({
  replicas,
  policy
}: Pick<ClusterNow, 'replicas' | 'policy'>): string {
  const { actual, wanted, count, min, max } = replicas
  const rule = count === null ? `policy ${policy.kind}, ${min} to ${max}` : 'fixed'
  return `${actual} of ${plural(wanted, 'wanted replica')} (${rule})`
}

async function untilThere(
  orchestrators: Orchestrators,
  { body, args }: { body: Wanted; args: Arguments<Own> }
): Promise<void> {
  using progress = new Progress('waiting for replicas')
  const untilMs = performance.now() + args.timeout * 1_000
  for (;;) {
    const { replicas, inSync } = await clusterOf(orchestrators)
    const isSet = !('count' in body) || replicas.wanted === body.count
    const serve = inSync.length - 1
    if (isSet && serve === replicas.wanted && replicas.actual === serve) return
    progress.show(
      `${serve} of ${plural(replicas.wanted, 'replica')} in sync`,
      serve / replicas.wanted
    )
    if (performance.now() > untilMs) {
      throw new CommandError(
        `after ${args.timeout} s there are ${serve} of ${replicas.wanted} replicas`,
        {
          exitCode: EXIT.unknownOutcome,
          next: 'the setting stands, and replicas go on starting: `convoy status` shows them'
        }
      )
    }
    await sleep(LOOK_MS)
  }
}
