/**
 * `convoy events`: what happens to the cluster, as it happens.
 */

import { happenings } from '../../local/happenings.ts'
import { newsOf } from '../../local/news.ts'
import type { Happening } from '../../orchestrator/timeline.ts'
import { clusterOf } from '../cluster.ts'
import { command, printJson } from '../command.ts'
import { Orchestrators } from '../orchestrator.ts'
import { EXIT } from '../outcome.ts'
import { sights } from '../status/sight.ts'
import { targetOf } from '../target.ts'
import { stdout, styled } from '../terminal.ts'

const TYPES = [
  'workerStarted',
  'workerLost',
  'role',
  'inSync',
  'diverged',
  'recovered',
  'scaled',
  'harmful',
  'supervises',
  'leaderless',
  'elected'
] as const

interface Own {
  readonly type: readonly string[] | undefined
  readonly count: number | undefined
  readonly last: number
}

export const events = command<Own>({
  usage: 'events',
  describe: 'Follows what happens: elections, workers that come and go, scaling',
  options: yargs =>
    yargs
      .option('type', { type: 'string', array: true, choices: TYPES, describe: 'Only these' })
      .option('last', {
        type: 'number',
        default: 0,
        describe: 'First so many that have happened before'
      })
      .option('count', { alias: 'n', type: 'number', describe: 'Ends after so many' }),
  examples: [
    ['$0 events', 'until Ctrl-C'],
    ['$0 events --last 20', 'first what has happened since the orchestrator started'],
    ['$0 events --type elected --count 1', 'waits for the next election'],
    ['$0 events --json', 'a line for each, with all that is known']
  ],
  run: async args => {
    const target = targetOf(args)
    const orchestrators = new Orchestrators(target)
    const ended = new AbortController()
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => ended.abort())
    const { workers } = await clusterOf(orchestrators)
    const pids = new Map(workers.map(({ id, pid }) => [id, pid]))
    let left = args.count ?? Number.POSITIVE_INFINITY
    const show = (event: Happening) => {
      if (args.json) printJson(event)
      else stdout(eventText(event, pids))
      left -= 1
    }
    const isWanted = ({ type }: Happening) => args.type?.includes(type) ?? true
    const before = args.last > 0 ? await happenedBefore(orchestrators, ended.signal) : []
    for (const event of before) note(pids, event)
    for (const event of lastOf(before.filter(isWanted), args.last)) if (left > 0) show(event)
    if (left <= 0) return EXIT.done
    for await (const event of happenings({ ...target, ended: ended.signal })) {
      note(pids, event)
      if (isWanted(event)) show(event)
      if (left <= 0) break
    }
    return EXIT.done
  }
})

function note(pids: Map<string, number>, event: Happening): void {
  if ('workerId' in event && 'pid' in event) pids.set(event.workerId, event.pid)
}

const lastOf = <T>(all: readonly T[], count: number): readonly T[] =>
  count > 0 ? all.slice(-count) : []

async function happenedBefore(
  orchestrators: Orchestrators,
  ended: AbortSignal
): Promise<readonly Happening[]> {
  for await (const { happenings: kept } of sights(orchestrators, ended)) return kept
  return []
}

const ALARMING = new Set(['workerLost', 'diverged', 'leaderless', 'harmful'])

export function eventText(event: Happening, pids: ReadonlyMap<string, number>): string {
  const text = newsOf(event, pids) ?? quietly(event, pids)
  const at = styled('dim', event.at)
  return `${at}  ${ALARMING.has(event.type) ? styled('yellow', text) : text}`
}

/** What `convoy up` has no line for. */
function quietly(event: Happening, pids: ReadonlyMap<string, number>): string {
  if (event.type === 'role') {
    const worker = pids.get(event.workerId) ?? event.workerId
    return `worker ${worker} is ${event.to}, was ${event.from}`
  }
  if (event.type === 'leaderless') return `nobody leads; the term was ${event.term}`
  return event.type
}
