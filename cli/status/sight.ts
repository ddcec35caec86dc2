/**
 * What `convoy status` shows, as one orchestrator streams it: the cluster, the figures of
 * each second, what has happened since that orchestrator began.
 */

import { type ServerSentEvent, serverSentEvents } from '../../local/server-sent-events.ts'
import type { Sample } from '../../orchestrator/dashboard/samples.ts'
import type { Happening } from '../../orchestrator/timeline.ts'
import type { ClusterNow } from '../cluster.ts'
import { brokenOff } from '../failures.ts'
import type { Orchestrators } from '../orchestrator.ts'

const PATH = '/api/v1/cluster/stream'
/** Samples come each second. */
const SILENT_MS = 5_000

export interface Look {
  readonly cluster: ClusterNow
  /** Every process that runs. */
  readonly instances: readonly {
    readonly service: string
    readonly pid: number
    readonly frozen: boolean
  }[]
  readonly broker: { readonly up: boolean }
  readonly lanes: {
    readonly depths: Readonly<Record<string, number>>
    readonly unanswered: { readonly writes: number; readonly reads: number }
  }
}

export interface Sight extends Look {
  /** Null in the first seconds of an orchestrator. */
  readonly sample: Sample | null
  /** Oldest first. */
  readonly happenings: readonly Happening[]
}

interface History {
  readonly samples: Readonly<Record<string, readonly unknown[]>>
  readonly timeline: readonly Happening[]
}

/**
 * One for each thing that is told, from the first moment at which all is known.
 * @throws CommandError when nobody answers, or whoever did tells nothing any more
 */
export async function* sights(
  orchestrators: Orchestrators,
  signal: AbortSignal,
  silentMs = SILENT_MS
): AsyncGenerator<Sight> {
  const body = await orchestrators.stream(PATH, { signal, silentMs })
  let sight: Partial<Sight> = {}
  for await (const event of unlessBroken(serverSentEvents(body))) {
    sight = seen(sight, event)
    if (isWhole(sight)) yield sight
  }
}

async function* unlessBroken<T>(events: AsyncIterable<T>): AsyncGenerator<T> {
  try {
    yield* events
  } catch (cause) {
    throw brokenOff(cause)
  }
}

const isWhole = (sight: Partial<Sight>): sight is Sight =>
  sight.cluster !== undefined && sight.happenings !== undefined

export function seen(sight: Partial<Sight>, { type, data }: ServerSentEvent): Partial<Sight> {
  const told: unknown = JSON.parse(data)
  switch (type) {
    case 'history': {
      const { samples, timeline } = told as History
      return { ...sight, sample: lastOf(samples), happenings: timeline }
    }
    case 'cluster':
      return { ...sight, ...(told as Look) }
    case 'sample':
      return { ...sight, sample: told as Sample }
    case 'happening':
      return { ...sight, happenings: [...(sight.happenings ?? []), told as Happening] }
    default:
      return sight
  }
}

/** Samples come as columns. */
function lastOf(columns: History['samples']): Sample | null {
  const last = Object.entries(columns).map(([name, values]) => [name, values.at(-1)])
  return last.length === 0 ? null : (Object.fromEntries(last) as Sample)
}
