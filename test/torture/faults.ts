/**
 * The faults that a torture run draws from. Each is inflicted on a running system past
 * all of Convoy's code, lasts for a while, and is undone.
 */
import type { Dice } from '../simulator/random.ts'
import type { Cluster, Victim } from '../system/cluster.ts'

export interface Fault {
  /** As `--faults` names it. */
  readonly kind: FaultKind
  readonly text: string
  /** How long it lasts; 0 for what is over at once. */
  readonly lastsMs: number
  readonly inflict: (cluster: Cluster) => Promise<Harm>
}

export interface Harm {
  /** Pids of processes that died. */
  readonly dead: readonly number[]
  undo(): Promise<void>
}

export type FaultKind = 'kill'
export const FAULT_KINDS: readonly FaultKind[] = ['kill']

/** What starts again by itself needs nobody to undo it. */
const killed = (dead: readonly number[]): Harm => ({ dead, undo: async () => {} })

const VICTIMS: readonly Victim[] = [
  'master',
  'replica',
  "the master's database",
  "a replica's database",
  'orchestrator',
  'rabbitmq',
  'zookeeper',
  'all workers'
]

function kill(dice: Dice): Fault {
  const victim = dice.pick(VICTIMS) as Victim
  return {
    ...{ kind: 'kill', text: `kill -9 of ${victim}`, lastsMs: 0 },
    inflict: async cluster => killed(await cluster.kill(victim))
  }
}

const DRAW: Readonly<Record<FaultKind, (dice: Dice) => Fault>> = { kill }

/** The same dice draw the same faults. */
export function drawFault(kinds: readonly FaultKind[], dice: Dice): Fault {
  return DRAW[dice.pick(kinds) as FaultKind](dice)
}
