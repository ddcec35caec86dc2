/**
 * `convoy events`: what happens to the cluster, as it happens.
 */
import type { Happening } from '../../../orchestrator/timeline.ts'
import { happenings } from '../../system/happenings.ts'
import { newsOf } from '../../system/news.ts'
import { clusterOf } from '../cluster.ts'
import { command, printJson } from '../command.ts'
import { Orchestrators } from '../orchestrator.ts'
import { EXIT } from '../outcome.ts'
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
  'supervises',
  'leaderless',
  'elected'
] as const

interface Own {
  readonly type: readonly string[] | undefined
  readonly count: number | undefined
}

export const events = command<Own>({
  usage: 'events',
  describe: 'Follows what happens: elections, workers that come and go, scaling',
  options: yargs =>
    yargs
      .option('type', { type: 'string', array: true, choices: TYPES, describe: 'Only these' })
      .option('count', { alias: 'n', type: 'number', describe: 'Ends after so many' }),
  examples: [
    ['$0 events', 'until Ctrl-C'],
    ['$0 events --type elected --count 1', 'waits for the next election'],
    ['$0 events --json', 'a line for each, with all that is known']
  ],
  run: async args => {
    const target = targetOf(args)
    const ended = new AbortController()
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => ended.abort())
    const cluster = await clusterOf(new Orchestrators(target))
    const pids = new Map(cluster.workers.map(({ id, pid }) => [id, pid]))
    let left = args.count ?? Number.POSITIVE_INFINITY
    for await (const event of happenings({ urls: target.urls, ended: ended.signal })) {
      if ('workerId' in event && 'pid' in event) pids.set(event.workerId, event.pid)
      if (args.type !== undefined && !args.type.includes(event.type)) continue
      if (args.json) printJson(event)
      else stdout(eventText(event, pids))
      if (--left <= 0) break
    }
    return EXIT.done
  }
})

const ALARMING = new Set(['workerLost', 'diverged', 'leaderless'])

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
