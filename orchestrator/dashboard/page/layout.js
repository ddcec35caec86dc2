/**
 * Where everything stands in the picture of the cluster: five columns in the way of a
 * request, from lb to the workers. Pure: numbers and texts, no elements.
 */
import { figure } from './words.js'

const COLUMNS = {
  lb: { x: 10, width: 96 },
  service: { x: 156, width: 140 },
  orchestrator: { x: 346, width: 168 },
  queue: { x: 578, width: 150 },
  worker: { x: 800, width: 290 }
}
const GAP = 16
const HEIGHT = { lb: 56, service: 56, orchestrator: 74, queue: 54, worker: 74 }
const MARGIN = 34
const END = 14
export const WIDTH = 1150
/** The line along which the master sends entries to the replicas. */
const BUS_X = 1120

const QUEUES = ['writeQ', 'strongQ', 'readQ']

/** @param seen the data of a `cluster` event */
export function layout(seen) {
  const boxes = [
    ...column('lb', lbBoxes(seen)),
    ...column('service', serviceBoxes(seen)),
    ...column('orchestrator', orchestratorBoxes(seen)),
    ...column('queue', queueBoxes(seen)),
    ...column('worker', workerBoxes(seen))
  ]
  const height = Math.max(...boxes.map(({ y, height }) => y + height)) + END
  // Columns are centred on the tallest one.
  for (const kind of Object.keys(COLUMNS)) {
    const mine = boxes.filter(box => box.kind === kind)
    const end = Math.max(...mine.map(({ y, height }) => y + height))
    for (const box of mine) box.y += (height - END - end) / 2
  }
  return { width: WIDTH, height, boxes, edges: edgesOf(boxes) }
}

function column(kind, boxes) {
  const height = HEIGHT[kind]
  return boxes.map((box, at) => ({
    ...COLUMNS[kind],
    ...{ kind, height, y: MARGIN + at * (height + GAP), marks: [], state: 'well' },
    ...box
  }))
}

const lbBoxes = seen => boxesOf('lb', seen)
const serviceBoxes = seen => ['users-api', 'rides-api'].flatMap(name => boxesOf(name, seen))

function boxesOf(name, { instances }) {
  const mine = instances.filter(({ service }) => service === name)
  if (mine.length === 0) return [{ id: name, title: name, lines: ['none'], state: 'gone' }]
  return mine.map(({ id, pid, frozen }) => ({
    ...{ id, title: name, lines: [`pid ${pid}`] },
    ...(frozen && FROZEN)
  }))
}

const FROZEN = { marks: ['frozen'], state: 'coming' }
const isFrozen = (id, { instances }) => instances.some(one => one.id === id && one.frozen)

const orchestratorBoxes = ({ cluster, orchestratorId, lanes, instances }) =>
  cluster.orchestrators.map(({ id, pid }) => ({
    id,
    title: 'orchestrator',
    lines: [
      `pid ${pid}${id === orchestratorId ? ', this one' : ''}`,
      id === orchestratorId
        ? `${lanes.unanswered.writes} writes, ${lanes.unanswered.reads} reads wait`
        : ''
    ],
    marks: id === cluster.supervisor ? ['supervises'] : [],
    ...(isFrozen(id, { instances }) && FROZEN)
  }))

const queueBoxes = ({ broker }) =>
  QUEUES.map(name => {
    const queue = broker.queues?.find(one => one.name === name)
    const isAway = !broker.up || queue === undefined
    return {
      id: name,
      title: name,
      lines: isAway ? ['not known'] : [`${figure(queue.messages)} waiting`],
      state: isAway ? 'gone' : 'well'
    }
  })

/** The master first, then by pid; then what is wanted and not there yet. */
function workerBoxes({ cluster, instances }) {
  const boxOf = worker => ({
    ...workerBox(worker),
    ...(isFrozen(worker.id, { instances }) && FROZEN)
  })
  const { master, workers, replicas } = cluster
  const leads = ({ id, role }) => id === master && role === 'master'
  const rest = workers.filter(worker => !leads(worker)).sort((a, b) => a.pid - b.pid)
  const leader = workers.filter(leads).map(boxOf)
  const missing = Math.max(0, replicas.wanted - rest.length)
  return [
    ...(leader.length > 0 ? leader : [{ id: 'nobody', ...NOBODY }]),
    ...rest.map(boxOf),
    ...Array.from({ length: missing }, (_, at) => ({ id: `wanted-${at}`, ...WANTED }))
  ]
}

const NOBODY = {
  title: 'Nobody leads',
  lines: ['an election is due'],
  state: 'failed',
  role: 'none'
}
const WANTED = { title: 'One more replica', lines: ['is wanted'], state: 'gone', role: 'none' }

const SERVING = new Set(['master', 'replica'])

function workerBox(worker) {
  const { id, pid, role, inSync, index, lag, readsPerS, cpuPercent, trouble, diverged } = worker
  return {
    id,
    role,
    title: `${role} ${pid}`,
    lines: [
      `index ${figure(index)}, lag ${figure(lag)}`,
      trouble ?? `${figure(readsPerS)} reads/s, ${figure(cpuPercent)} % CPU`
    ],
    marks: [diverged ? 'diverged' : inSync ? '✓ in sync' : 'not in sync'],
    state: diverged || trouble !== null ? 'failed' : inSync && SERVING.has(role) ? 'well' : 'coming'
  }
}

function edgesOf(boxes) {
  const of = kind => boxes.filter(box => box.kind === kind)
  const queue = name => boxes.find(({ id }) => id === name)
  const master = boxes.find(({ role }) => role === 'master')
  const replicas = boxes.filter(({ role, state }) => role === 'replica' && state === 'well')
  const between = (from, to, flow = 'request') =>
    from.flatMap(a => to.map(b => ({ flow, path: curve(a, b) })))
  const leads = master === undefined ? [] : [master]
  return [
    ...between(of('lb'), of('service')),
    ...between(of('service'), of('orchestrator')),
    ...between(of('orchestrator'), of('queue')),
    ...between([queue('writeQ'), queue('strongQ')], leads, 'write'),
    ...between([queue('readQ')], replicas.length > 0 ? replicas : leads, 'read'),
    ...leads.flatMap(from => replicas.map(to => ({ flow: 'sync', path: bus(from, to) })))
  ]
}

const middle = ({ y, height }) => y + height / 2

function curve(from, to) {
  const x = from.x + from.width
  const bend = (to.x - x) / 2
  return `M${x} ${middle(from)}C${x + bend} ${middle(from)} ${to.x - bend} ${middle(to)} ${to.x} ${middle(to)}`
}

const bus = (from, to) =>
  `M${from.x + from.width} ${middle(from)}H${BUS_X}V${middle(to)}H${to.x + to.width}`
