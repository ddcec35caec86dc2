/**
 * Carries out one planned fault on a running system. What lasts is returned with what
 * ends it; the loads that are faults by themselves end with the signal that they are given.
 */
import { basename } from 'node:path'
import type { Cluster } from '../../../testing/cluster/cluster.ts'
import type { Fault } from '../../../testing/cluster/faults.ts'
import { allPidsOf, placeOf, placesOf, type Victim } from '../../../testing/cluster/victims.ts'
import type { Clocks } from '../../../testing/faults/clocks.ts'
import { type CrowdOptions, crowd } from './crowd.ts'
import { exhaust } from './descriptors.ts'
import type { Keyed } from './keyed.ts'
import type { Planned, Victim as PlannedVictim } from './plan.ts'
import type { Tables } from './tables.ts'

export interface Scene {
  readonly cluster: Cluster
  readonly clocks: Clocks | undefined
  readonly keyed: Keyed
  readonly tables: Tables
  readonly crowd: CrowdOptions
  readonly burst: { readonly keys: number; readonly tables: number }
  /** The run is to end. */
  readonly stopped: AbortSignal
}

export interface Struck {
  /** Processes that will not come back as they were. */
  readonly dead: readonly number[]
  heal(): Promise<void>
}

const OVER: Struck = { dead: [], heal: async () => {} }
const HEALABLE = (fault: Fault): Struck => ({ dead: [], heal: () => fault.heal() })
const DEAD = (dead: readonly number[]): Struck => ({ ...OVER, dead })

/** @throws Error when its victim is not there just now: that is no fault of the system */
export async function strike(planned: Planned, scene: Scene): Promise<Struck> {
  const { cluster } = scene
  const { kind } = planned
  const of = planned.of as never
  switch (kind) {
    case 'pause':
      return HEALABLE(await cluster.pause(of))
    case 'kill':
      return DEAD(await cluster.kill(of))
    case 'down':
      return HEALABLE(await cluster.down(of, { forgets: planned.of === 'rabbitmq' }))
    case 'lose':
      return lose(of, cluster)
    case 'cut':
      return HEALABLE(await cluster.cut(of, 'everything'))
    case 'expire':
      await cluster.expire(of)
      return OVER
    case 'disk-full':
      return HEALABLE(await cluster.fillDisk(of))
    case 'disk-hang':
      return HEALABLE(await cluster.hangDisk(of))
    case 'clock':
      return jump(planned, scene)
    case 'descriptors':
      return starve(of, cluster)
    default:
      return load(kind, scene)
  }
}

async function lose(victim: 'master' | 'replica', cluster: Cluster): Promise<Struck> {
  const { inSync, workers } = await cluster.now()
  const live = workers.filter(({ id, role }) => inSync.includes(id) && role !== 'starting')
  if (live.length < cluster.workers) throw new Error('another copy is missing already')
  return DEAD(await cluster.lose(victim))
}

async function starve(victim: Victim, cluster: Cluster): Promise<Struck> {
  const end = exhaust(await allPidsOf(victim, cluster), cluster.folder.root)
  return { dead: [], heal: async () => end() }
}

async function jump({ of, jumpS = 0 }: Planned, { cluster, clocks }: Scene): Promise<Struck> {
  if (clocks === undefined) throw new Error('libfaketime is not installed')
  const names = await clocksOf(of, cluster)
  for (const name of names) clocks.set(name, jumpS)
  return {
    dead: [],
    heal: async () => {
      for (const name of names) clocks.set(name, 0)
    }
  }
}

async function clocksOf(of: PlannedVictim, cluster: Cluster): Promise<string[]> {
  if (of === 'everything') {
    const databases = placesOf(cluster).map(({ dir }) => basename(dir))
    return [...databases, ...Object.keys(cluster.run.pids)]
  }
  if (of === "the master's database" || of === "a replica's database") {
    return [basename((await placeOf(of, cluster)).dir)]
  }
  return [of]
}

function load(kind: 'connections' | 'keys' | 'tables', scene: Scene): Struck {
  const ending = new AbortController()
  const ended = AbortSignal.any([ending.signal, scene.stopped])
  const { keyed, tables, burst } = scene
  const act = {
    connections: () => crowd(scene.crowd, ended),
    keys: () => keyed.burst(burst.keys, ended),
    tables: () => tables.make(burst.tables, ended)
  }[kind]
  const done = act()
  return {
    dead: [],
    heal: async () => {
      ending.abort()
      await done
    }
  }
}
