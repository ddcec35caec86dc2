/**
 * Figures and events in words. Pure.
 */

/** `1,234`, `12.5`, `0.31`. */
export function figure(value) {
  if (value === null || value === undefined) return '–'
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2
  return value.toLocaleString('en', { maximumFractionDigits: digits })
}

export const plural = (count, word) => `${figure(count)} ${word}${count === 1 ? '' : 's'}`

export const clock = at => new Date(at).toLocaleTimeString('en-GB')

export function ago(seconds) {
  if (seconds < 1) return 'now'
  if (seconds < 60) return `${seconds} s ago`
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s ago`
}

/** Types of events that tell of an election or of a fault. */
const FAULTS = new Set([
  'elected',
  'leaderless',
  'workerLost',
  'diverged',
  'recovered',
  'harmful',
  'supervises'
])
export const isFault = ({ type }) => FAULTS.has(type)

const TOLD = {
  workerStarted: ({ pid }) => `Worker ${pid} started`,
  workerLost: ({ pid, role }) => `Worker ${pid} is gone; it was ${role}`,
  role: ({ workerId, from, to, term }, nameOf) =>
    `Worker ${nameOf(workerId)}: ${from} to ${to}, term ${term}`,
  inSync: ({ added, removed }, nameOf) =>
    [
      added.length > 0 ? `In sync now: ${added.map(nameOf).join(', ')}` : '',
      removed.length > 0 ? `No longer in sync: ${removed.map(nameOf).join(', ')}` : ''
    ]
      .filter(text => text !== '')
      .join('. '),
  diverged: ({ pid, trouble }) => `Worker ${pid} has diverged: ${trouble}`,
  recovered: ({ inSync }, nameOf) =>
    `An operator chose who goes on: ${inSync.map(nameOf).join(', ')}`,
  scaled: ({ from, to, reason }) => `Replicas wanted: ${from} to ${to}, ${reason}`,
  harmful: ({ requestId }) => `Request ${requestId} is harmful, and is refused`,
  supervises: ({ orchestratorId, pid }) =>
    `Orchestrator ${pid ?? orchestratorId} supervises the workers`,
  leaderless: ({ term }) => `Nobody leads; the last term was ${term}`,
  elected: ({ pid, term, durationMs }) =>
    `Worker ${pid} leads, term ${term}${durationMs === null ? '' : `, after ${durationMs} ms`}`
}

/** @param nameOf of a worker, by its id */
export const told = (event, nameOf = id => id) => TOLD[event.type]?.(event, nameOf) ?? event.type

/** The cluster in one or two sentences, for those who do not see the picture. */
export function summary({ cluster, broker }) {
  const master = cluster.workers.find(({ id, role }) => id === cluster.master && role === 'master')
  const replicas = cluster.workers.filter(({ role }) => role === 'replica')
  const lags = replicas.map(
    ({ pid, inSync, lag }) => `${pid} ${inSync ? 'in sync' : 'not in sync'}, lag ${figure(lag)}`
  )
  const others = cluster.workers.length - replicas.length - (master === undefined ? 0 : 1)
  return [
    master === undefined ? 'Nobody leads.' : `Worker ${master.pid} leads in term ${cluster.term}.`,
    `${plural(replicas.length, 'replica')}${lags.length > 0 ? `: ${lags.join('; ')}` : ''}.`,
    others > 0 ? `${plural(others, 'other worker')}.` : '',
    broker.up ? '' : 'RabbitMQ is away.'
  ]
    .filter(text => text !== '')
    .join(' ')
}
