/** A run for people: the verdict, a line for each fault, and figures of each kind. */
import { aligned } from '../../report/table.ts'
import type { FaultLine, KindLine, Percentiles } from '../figures.ts'
import type { Ran } from '../run.ts'
import { GUARANTEES, type Guarantee } from '../verdict.ts'
import { TARGETS } from './targets.ts'

export function textReport(title: string, ran: Ran): string {
  const { verdict, seconds, requests, faults, kinds, elections } = ran
  const carried = faults.filter(({ notDone }) => notDone === null).length
  const { lost, doubled, clientErrors, stale } = verdict
  const staleTotal = `${stale.replica} replica, ${stale.session} session, ${stale.strong} strong`
  return [
    title,
    '',
    `${requests} requests in ${seconds.toFixed(0)} s, ${carried} faults, ${elections.length} elections`,
    `${verdict.acknowledged} writes acknowledged: ${lost} lost, ${doubled} doubled; stale reads: ${staleTotal}`,
    `client errors: ${clientErrors}${counts(ran.failed, ': ')}; sent again after: ${counts(ran.sentAgain) || 'nothing'}`,
    '',
    ...verdictLines(ran),
    '',
    aligned([FAULT_HEAD, ...faults.map(faultRow)]),
    '',
    aligned([KIND_HEAD, ...kinds.map(kindRow)]),
    '',
    'Gaps are the longest time in which no request at one door was answered, from a fault to the next;',
    'at the orchestrators or through lb, whichever is longer. A client error is a request that was told',
    'an error other than 502, 503 and 504, or had no success within 10 s, sent again with its key meanwhile.',
    ''
  ].join('\n')
}

const counts = (of: Ran['failed'], head = ''): string => {
  const told = Object.entries(of).map(([cause, count]) => `${count} ${cause}`)
  return told.length === 0 ? '' : `${head}${told.join(', ')}`
}

function verdictLines({ verdict }: Ran): string[] {
  const lines = Object.entries(GUARANTEES).flatMap(([name, promise]) => {
    const problems = verdict.problems[name as Guarantee]
    const mark = problems.length === 0 ? 'held  ' : 'BROKEN'
    return [`${name} ${mark}  ${promise}`, ...problems.map(problem => `     ${problem}`)]
  })
  return [...lines, verdict.held ? 'all guarantees held' : 'THE VERDICT IS BROKEN']
}

const FAULT_HEAD = [
  ...['at, s', 'fault', 'no write, ms', 'no read, ms', 'errors', 'sent again', 'whole after, s']
]

function faultRow(line: FaultLine): string[] {
  const { atS, text, who, notDone, writeGapMs, readGapMs, errors, sentAgain, wholeAfterMs } = line
  if (notDone !== null) return [atS.toFixed(1), `not done: ${text} (${notDone})`]
  const whole = wholeAfterMs === null ? 'never' : (wholeAfterMs / 1_000).toFixed(1)
  return [
    ...[atS.toFixed(1), text.includes(who) ? text : `${text} (${who})`],
    ...[writeGapMs.toFixed(0), readGapMs.toFixed(0), `${errors}`, `${sentAgain}`, whole]
  ]
}

const KIND_HEAD = [
  ...['kind', 'times', 'errors', 'no write, ms: p50', 'p90', 'worst'],
  ...['no read, ms: p50', 'p90', 'worst', 'target']
]

function kindRow(line: KindLine): string[] {
  const { fault, times, errors, writeGapMs, readGapMs } = line
  const missed = TARGETS[fault]?.(line)
  const target = missed === undefined ? '' : missed.length === 0 ? 'kept' : missed.join('; ')
  const numbers = ({ p50, p90, worst }: Percentiles) => [p50, p90, worst].map(ms => ms.toFixed(0))
  return [fault, `${times}`, `${errors}`, ...numbers(writeGapMs), ...numbers(readGapMs), target]
}
