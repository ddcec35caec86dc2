/**
 * The one screen of `convoy status`. Pure.
 */
import { newsOf } from '../../local/news.ts'
import type { ClusterNow } from '../cluster.ts'
import { policyText } from '../commands/policy.ts'
import { replicasText } from '../commands/scale.ts'
import { workersTable } from '../commands/workers.ts'
import { styled, table } from '../terminal.ts'
import { ageText, msText, plural, rateText } from '../text.ts'
import type { Sight } from './sight.ts'

const ELECTIONS = 5
const NEWS = 5

export function statusText(sight: Sight, nowMs = Date.now()): string {
  const { cluster } = sight
  return [
    headOf(cluster),
    ...(cluster.stuck === null ? [] : [styled('red', `STUCK: ${cluster.stuck.message}`)]),
    ...keptText(cluster),
    '',
    `${styled('bold', 'replicas')}  ${replicasText(cluster)}`,
    ...policyText(cluster, nowMs)
      .split('\n')
      .map(line => `          ${line}`),
    '',
    workersTable(cluster.workers, nowMs),
    '',
    ...scrubText(cluster, nowMs),
    loadText(sight),
    '',
    instancesText(sight),
    '',
    ...electionsText(sight, nowMs),
    ...newsText(sight, nowMs)
  ].join('\n')
}

function headOf({ term, master, workers, inSync, minCopies, commitIndex }: ClusterNow): string {
  const pid = workers.find(({ id }) => id === master)?.pid
  const leads =
    pid === undefined ? styled('red', 'no master') : styled('cyan', `master ${pid} (${master})`)
  const live = inSync.filter(id => workers.some(worker => worker.id === id)).length
  const copies = `${live} of ${inSync.length} in sync`
  const enough = live >= minCopies
  return [
    `${styled('bold', 'term')} ${term}`,
    leads,
    styled(enough ? 'green' : 'red', copies) + (enough ? '' : ` (writes need ${minCopies})`),
    `index ${commitIndex}`
  ].join('   ')
}

/** What waits for an operator since a recovery, and what it costs. */
function keptText({ workers }: ClusterNow): string[] {
  const kept = workers.filter(({ keptMiB }) => typeof keptMiB === 'number')
  if (kept.length === 0) return []
  const each = kept.map(({ id, pid, keptMiB }) => `worker ${pid} (${id}), ${keptMiB} MiB`)
  return [
    styled(
      'yellow',
      `kept since a recovery, which gave up entries that they hold: ${each.join('; ')}`
    ),
    'when nothing of that is wanted any more, `convoy recover --forget` removes it'
  ]
}

/** How far each worker has looked for damage of its own; nothing where that is off. */
function scrubText({ workers }: ClusterNow, nowMs: number): string[] {
  const lines = workers.flatMap(({ pid, scrub }) => {
    if (!scrub) return []
    const { pages, entries, damage } = scrub
    const percent = pages.of === 0 ? 0 : Math.min(100, Math.round((100 * pages.read) / pages.of))
    const last = (at: string | null) => (at === null ? 'never' : `${ageText(at, nowMs)} ago`)
    const found =
      damage.length === 0
        ? styled('green', 'no damage')
        : styled('red', `DAMAGED: ${damage.join(', ')}`)
    const ofPages = `pages ${percent} % (last pass ${last(pages.passAt)})`
    const ofLog = `log entries ${entries.read} (last pass ${last(entries.passAt)})`
    return [`  ${pid}  ${ofPages}, ${ofLog}: ${found}`]
  })
  return lines.length === 0 ? [] : [styled('bold', 'scrub'), ...lines, '']
}

interface LoadLine {
  readonly what: string
  readonly perS: number
  readonly p50Ms: number | null
  readonly p99Ms: number | null
  readonly queue: number | null
  readonly unanswered: number
}

function loadText({ sample, lanes, broker }: Sight): string {
  if (!broker.up) return styled('red', 'RabbitMQ does not answer: requests wait')
  if (sample === null) return styled('dim', 'no figures yet: the orchestrator has just started')
  const { unanswered } = lanes
  const lines: LoadLine[] = [
    {
      what: 'writes',
      perS: sample.writesPerS,
      p50Ms: sample.writeP50Ms,
      p99Ms: sample.writeP99Ms,
      queue: sample.writeQueue,
      unanswered: unanswered.writes
    },
    {
      what: 'reads',
      perS: sample.readsPerS,
      p50Ms: sample.readP50Ms,
      p99Ms: sample.readP99Ms,
      queue: sample.readQueue,
      unanswered: unanswered.reads
    }
  ]
  const columns = [
    { head: 'requests', text: ({ what }: LoadLine) => what },
    { head: '/s', right: true, text: ({ perS }: LoadLine) => rateText(perS) },
    { head: 'p50', right: true, text: ({ p50Ms }: LoadLine) => msText(p50Ms) },
    { head: 'p99', right: true, text: ({ p99Ms }: LoadLine) => msText(p99Ms) },
    { head: 'queue', right: true, text: ({ queue }: LoadLine) => String(queue ?? '?') },
    { head: 'unanswered', right: true, text: (line: LoadLine) => String(line.unanswered) }
  ]
  const failed = sample.failedPerS > 0 ? 'red' : 'dim'
  const rest = `failed ${rateText(sample.failedPerS)}/s, waiting in lanes ${sample.waiting}, largest lag ${sample.lag}`
  return `${table(columns, lines)}\n${styled(failed, rest)}`
}

function instancesText({ cluster, instances }: Sight): string {
  const supervisor = cluster.orchestrators.find(({ id }) => id === cluster.supervisor)?.pid
  // The table above has all workers, but not which of them are frozen.
  const told = instances.filter(({ service, frozen }) => service !== 'worker' || frozen)
  const services = Map.groupBy(told, ({ service }) => service)
  const parts = [...services].map(([service, all]) => {
    const pids = all.map(({ pid, frozen }) => {
      const what = frozen ? ' (frozen)' : pid === supervisor ? ' (supervises)' : ''
      return `${pid}${what}`
    })
    return `${service} ${pids.join(', ')}`
  })
  return `${styled('bold', 'processes')}  ${parts.join('   ')}`
}

function electionsText({ happenings }: Sight, nowMs: number): string[] {
  const elections = happenings.filter(one => one.type === 'elected').slice(-ELECTIONS)
  if (elections.length === 0) {
    return [`${styled('bold', 'elections')}  none since this orchestrator started`]
  }
  const lines = elections.reverse().map(({ at, term, pid, durationMs }) => {
    const gap = durationMs === null ? '' : `, after ${msText(durationMs)} without a master`
    return `  ${ageText(at, nowMs).padStart(7)} ago  term ${term}: worker ${pid}${gap}`
  })
  return [styled('bold', 'last elections'), ...lines]
}

function newsText({ happenings, cluster }: Sight, nowMs: number): string[] {
  const pids = new Map(cluster.workers.map(({ id, pid }) => [id, pid]))
  for (const one of happenings)
    if ('workerId' in one && 'pid' in one) pids.set(one.workerId, one.pid)
  const lines = happenings
    .filter(({ type }) => type !== 'elected')
    .flatMap(one => {
      const news = newsOf(one, pids)
      return news === undefined ? [] : [`  ${ageText(one.at, nowMs).padStart(7)} ago  ${news}`]
    })
    .slice(-NEWS)
  if (lines.length === 0) return []
  return ['', styled('bold', `last ${plural(lines.length, 'change')}`), ...lines.reverse()]
}
