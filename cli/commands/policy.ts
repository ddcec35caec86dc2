/**
 * `convoy policy`: by which rule the number of replicas follows the load.
 */
import { POLICIES, type PolicyKind } from '../../orchestrator/scaling/settings.ts'
import { type ClusterNow, clusterOf } from '../cluster.ts'
import { command, printJson } from '../command.ts'
import { orchestratorsOf } from '../orchestrator.ts'
import { UsageError } from '../outcome.ts'
import { stdout } from '../terminal.ts'
import { ageText, untilText } from '../text.ts'

interface Own {
  readonly kind: PolicyKind | undefined
  readonly 'window-s': number | undefined
  readonly 'reads-per-replica': number | undefined
  readonly 'reads-per-s': number | undefined
  readonly 'cool-down-s': number | undefined
}

export const policy = command<Own>({
  usage: 'policy [kind]',
  describe: 'Shows or sets the rule by which replicas are scaled',
  options: yargs =>
    yargs
      .positional('kind', { choices: POLICIES, describe: 'Shows the present one if left out' })
      .option('window-s', {
        type: 'number',
        describe: 'window: seconds in which reads are counted'
      })
      .option('reads-per-replica', {
        type: 'number',
        describe: 'window: reads in it that one replica is for'
      })
      .option('reads-per-s', { type: 'number', describe: 'rate: reads/s that one replica is for' })
      .option('cool-down-s', {
        type: 'number',
        describe: 'load, rate, cpu: seconds of calm before one replica goes'
      }),
  examples: [
    ['$0 policy', 'the present one, its last decision and its next one'],
    ['$0 policy load', 'as many as reads keep busy and the cores can use'],
    [
      '$0 policy window --window-s 120 --reads-per-replica 20',
      'one replica for 20 reads in 2 minutes'
    ],
    ['$0 policy rate --reads-per-s 1000', 'follow the reads per second'],
    ['$0 policy cpu', 'follow the CPU time of the replicas']
  ],
  run: async args => {
    const orchestrators = orchestratorsOf(args)
    const { windowS, readsPerReplica, readsPerS, coolDownS } = args
    const numbers = { windowS, readsPerReplica, readsPerS, coolDownS }
    const isNumberGiven = Object.values(numbers).some(number => number !== undefined)
    if (args.kind !== undefined) {
      const body = { kind: args.kind, ...numbers }
      await orchestrators.call({ method: 'PUT', path: '/api/v1/cluster/policy', body })
    } else if (isNumberGiven) throw new UsageError('say which policy the numbers are for')
    const cluster = await clusterOf(orchestrators)
    if (args.json) printJson(cluster.policy)
    else stdout(policyText(cluster))
    return undefined
  }
})

export function policyText({ policy }: Pick<ClusterNow, 'policy'>, nowMs = Date.now()): string {
  const { decision, kind, rule, next, reads } = policy
  const lines = [`${kind}: ${rule}`]
  if (decision !== null) {
    const { from, to, reason, at } = decision
    lines.push(`last decision: ${from} to ${to} (${reason}), ${ageText(at, nowMs)} ago`)
  }
  if (next !== null)
    lines.push(`next decision: in ${untilText(next, nowMs)}, ${reads} reads counted so far`)
  return lines.join('\n')
}
