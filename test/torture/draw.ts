/**
 * The faults that a torture run draws from. Each is inflicted on a running system past
 * all of Convoy's code, lasts for a while, and is healed. Pure but for the inflicting:
 * the same dice draw the same faults.
 */

import type { Cluster } from '../../testing/cluster/cluster.ts'
import type { Fault } from '../../testing/cluster/faults.ts'
import type { Party, Server, Victim, WorkerVictim } from '../../testing/cluster/victims.ts'
import type { Dice } from '../../testing/random.ts'

export interface Drawn {
  /** For a timeline. */
  readonly text: string
  /** How long it lasts; 0 for what is over at once. */
  readonly lastsMs: number
  /** @returns what lasts, or the pids of what died, which starts again by itself */
  readonly inflict: (cluster: Cluster) => Promise<Fault | readonly number[]>
}

/** Kinds that need all connections to go through proxies. */
export const NETWORK_KINDS = ['cut', 'slow', 'reset', 'expire'] as const
/** What needs no more than a system, and so is drawn from unless told. */
export const COMMON_KINDS = [
  ...(['kill', 'pause', 'down', 'lose', 'erase', 'clone'] as const),
  ...NETWORK_KINDS
] as const
/** `disk` mounts small file systems, which not every machine permits. */
export const FAULT_KINDS = [...COMMON_KINDS, 'disk'] as const
export type FaultKind = (typeof FAULT_KINDS)[number]

export function drawFault(kinds: readonly FaultKind[], dice: Dice): Drawn {
  return DRAW[dice.pick(kinds) as FaultKind](dice)
}

const VICTIMS: readonly Victim[] = [
  'master',
  'replica',
  "the master's database",
  "a replica's database",
  'orchestrator',
  'orchestrator-2',
  'rabbitmq',
  'zookeeper'
]
const PARTIES: readonly Party[] = ['master', 'replica', 'orchestrator', 'orchestrator-2']
const WORKERS: readonly WorkerVictim[] = ['master', 'replica']
const SERVERS: readonly Server[] = ['rabbitmq', 'zookeeper']
const FROM = ['rabbitmq', 'zookeeper', 'everything'] as const
/** Most cuts are whole ones; what is half open is the harder case. */
const DIRECTIONS = ['both', 'both', 'to', 'from'] as const
const ONE_WAY = { both: '', to: ', what it sends', from: ', what it is sent' } as const

const pick = <T>(dice: Dice, from: readonly T[]): T => dice.pick(from) as T

/** Longer ones are rarer: from less than any timeout to more than all of them. */
const lasting = (dice: Dice): number => Math.round(200 * 75 ** dice.next())

const DRAW: Readonly<Record<FaultKind, (dice: Dice) => Drawn>> = {
  kill,
  pause,
  down,
  cut,
  slow,
  reset,
  expire,
  lose,
  erase,
  clone,
  disk
}

function kill(dice: Dice): Drawn {
  const [first, second] = [pick(dice, [...VICTIMS, 'all workers' as const]), pick(dice, VICTIMS)]
  const both = dice.chance(0.25) && second !== first
  const victims = both ? [first, second] : [first]
  return {
    text: `kill -9 of ${victims.join(' and ')}`,
    lastsMs: 0,
    inflict: cluster => cluster.kill(...victims)
  }
}

function pause(dice: Dice): Drawn {
  const victim = pick(dice, VICTIMS)
  return {
    text: `SIGSTOP of ${victim}`,
    lastsMs: lasting(dice),
    inflict: cluster => cluster.pause(victim)
  }
}

function down(dice: Dice): Drawn {
  const server = pick(dice, SERVERS)
  // What ZooKeeper knows is the cluster's truth: without it an operator decides.
  const forgets = server === 'rabbitmq'
  return {
    text: `${server} killed and kept down`,
    lastsMs: lasting(dice),
    inflict: cluster => cluster.down(server, { forgets })
  }
}

function cut(dice: Dice): Drawn {
  const [party, from, direction] = [pick(dice, PARTIES), pick(dice, FROM), pick(dice, DIRECTIONS)]
  return {
    text: `${party} cut off from ${from}${ONE_WAY[direction]}`,
    lastsMs: lasting(dice),
    inflict: cluster => cluster.cut(party, from, direction)
  }
}

function slow(dice: Dice): Drawn {
  const [party, from, delayMs] = [pick(dice, PARTIES), pick(dice, FROM), dice.between(10, 300)]
  return {
    text: `${party} to ${from} slower by ${delayMs} ms`,
    lastsMs: lasting(dice),
    inflict: cluster => cluster.slow(party, from, delayMs)
  }
}

function reset(dice: Dice): Drawn {
  const [party, from] = [pick(dice, PARTIES), pick(dice, SERVERS)]
  return {
    text: `connections of ${party} to ${from} broken`,
    lastsMs: 0,
    inflict: async cluster => {
      await cluster.reset(party, from)
      return []
    }
  }
}

function expire(dice: Dice): Drawn {
  const party = pick(dice, PARTIES)
  return {
    text: `ZooKeeper session of ${party} expired`,
    lastsMs: 0,
    inflict: async cluster => {
      await cluster.expire(party)
      return []
    }
  }
}

function lose(dice: Dice): Drawn {
  const victim = pick(dice, WORKERS)
  return {
    text: `${victim} killed, its folder removed`,
    lastsMs: 0,
    inflict: async cluster => {
      await whole(cluster)
      return cluster.lose(victim)
    }
  }
}

function erase(dice: Dice): Drawn {
  const victim = pick(dice, WORKERS)
  return {
    text: `data of ${victim} removed under its running database`,
    lastsMs: 0,
    inflict: async cluster => {
      await whole(cluster)
      await cluster.erase(victim)
      return []
    }
  }
}

function clone(dice: Dice): Drawn {
  return {
    text: 'replica killed, its folder removed, and the clone in its place held up',
    lastsMs: lasting(dice),
    inflict: async cluster => {
      await whole(cluster)
      await cluster.lose('replica')
      return cluster.holdClone()
    }
  }
}

function disk(dice: Dice): Drawn {
  const [victim, full] = [pick(dice, WORKERS), dice.chance(0.5)]
  return {
    text: full ? `disk of ${victim} full` : `disk of ${victim} hangs`,
    lastsMs: lasting(dice),
    inflict: cluster => (full ? cluster.fillDisk(victim) : cluster.hangDisk(victim))
  }
}

/** Data is taken from one worker at a time: that of all of them nobody could survive. */
async function whole(cluster: Cluster): Promise<void> {
  const { inSync, workers } = await cluster.now()
  const live = workers.filter(({ id, role }) => inSync.includes(id) && role !== 'starting')
  if (live.length < cluster.workers) throw new Error('another copy is missing already')
}
