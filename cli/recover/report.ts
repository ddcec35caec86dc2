/**
 * Tells an operator what there is and what a choice means. Text only.
 */
import { bestOf, endOf, lossOf, type Situation } from './choice.ts'
import type { End } from './log-ends.ts'
import type { KnownWorker, Survey } from './survey.ts'

const COMMAND = 'npm run recover --'

export function reportOf(found: Survey, situation: Situation, ask: string): string {
  const workers = found.workers.flatMap(worker => lines(worker, found))
  return [clusterLine(found), ...workers, ...(found.unasked ?? []).map(unaskedLine), '']
    .concat(conclusion(found, situation, ask))
    .join('\n')
}

function clusterLine({ node }: Survey): string {
  if (node === null) return 'ZooKeeper has no /state of this cluster.'
  const { clusterId, term, master, inSync, keepDiverged } = node.state
  const kept = keepDiverged ? '\nWho holds entries that a recovery gave up keeps them.' : ''
  const named = inSync.length === 0 ? 'nobody' : inSync.join(', ')
  return `/state: cluster ${clusterId}, term ${term}, master ${master ?? 'none'}, in sync: ${named}${kept}`
}

const unaskedLine = (why: string) =>
  `  An orchestrator could not be asked what it saw of those that are gone: ${why}`

function lines(worker: KnownWorker, { node }: Survey): string[] {
  const { id, live, place, missing } = worker
  const named = node?.state.inSync.includes(id) === true ? ', in sync' : ''
  const where = live === null ? gone(worker) : `pid ${live.pid} on ${live.host}, ${live.role}`
  const trouble = live?.trouble == null ? [] : [`    ${live.trouble}`]
  const folder = place === null ? 'no folder on this machine' : `folder ${place.name}`
  const seen = live === null && missing === null ? '' : live === null ? ' when seen last' : ''
  return [
    `  ${id}${named}: ${where}; ${folder}`,
    `    log ends at ${endText(endOf(worker))}${seen}${live?.diverged ? '; DIVERGED' : ''}`,
    ...trouble
  ]
}

function gone({ place, missing }: KnownWorker): string {
  const since = missing === null ? '' : ` for ${(missing.goneForMs / 1_000).toFixed(0)} s`
  const running = place?.pid == null ? '' : `, but pid ${place.pid} of it runs`
  return `gone${since}${running}`
}

const endText = (end: End | null) =>
  end === null ? 'an unknown index' : `index ${end.index} of term ${end.term}`

function conclusion(found: Survey, situation: Situation, ask: string): string[] {
  switch (situation.kind) {
    case 'led':
      return [`${situation.master} leads. There is nothing to recover.`]
    case 'new':
      return ['No worker has data. There is nothing to recover.']
    case 'electable':
      return [
        `${situation.workers.join(', ')} of the in-sync set lives and can be elected: there is nothing to choose.`,
        'If that does not happen, its worker.log says why (RabbitMQ or PostgreSQL not reached, mostly).'
      ]
    case 'inSyncGone':
      return [...IN_SYNC_GONE, ...choices(found, found.workers), ask]
    case 'memoryLost':
      return [...MEMORY_LOST, ...choices(found, bestOf(found.workers)), ask]
  }
}

const IN_SYNC_GONE = [
  'Every in-sync worker is gone. Only these are sure to have every acknowledged write: bring one of them',
  'back with its data, and the cluster goes on by itself, with nothing lost.',
  'If none can come back, go on with one of the others. What is lost then is every entry behind its end;',
  'ends of workers that are gone are about a second older than what they may have acknowledged.'
]

const MEMORY_LOST = [
  'ZooKeeper has lost its memory of this cluster: nobody knows which workers were in sync. If its data',
  'folder can be put back, do that. Otherwise go on with those that have the highest (term, index). If one',
  'of the workers that were in sync is listed above with its end, that loses no acknowledged write; if all',
  'of them are gone, it may. Start what can be started before you choose.'
]

function choices(found: Survey, workers: readonly KnownWorker[]): string[] {
  const known = workers.filter(({ live }) => live !== null && live.clusterId !== null)
  return known
    .flatMap(worker => [
      '',
      `  ${COMMAND} --survivor ${worker.id} --accept-loss`,
      `    ${lossText(worker, found)}`
    ])
    .concat('')
}

export function lossText(survivor: KnownWorker, found: Survey): string {
  const { upTo, unknown, unseen } = lossOf(survivor, found)
  if (unknown) return 'where its log ends is not known: it does not run'
  const own = endOf(survivor)
  const more =
    unseen.length === 0 ? '' : `; but nobody knows where the log of ${unseen.join(', ')} ended`
  if (upTo === null || own === null) return `no entry is known that it does not have${more}`
  const count = upTo.index - own.index
  const from = `its log ends at ${endText(own)}, another's at ${endText(upTo)}`
  const loses = count > 0 ? `loses at least ${count} entries` : 'loses entries'
  return `${loses}: ${from}${more}`
}
