/**
 * Draws the cluster. The picture is one image to a screen reader, described in words;
 * the table below it has the same by cells.
 */
import { draw, make } from './dom.js'
import { layout } from './layout.js'
import { figure, summary } from './words.js'

export function drawPicture(place, seen) {
  const { width, height, boxes, edges } = layout(seen)
  const queues = boxes.filter(({ kind }) => kind === 'queue')
  const svg = draw(
    'svg',
    {
      viewBox: `0 0 ${width} ${height}`,
      role: 'img',
      'aria-label': `The cluster. ${summary(seen)}`
    },
    arrowheads(),
    edges.map(({ flow, path }) =>
      draw('path', { d: path, class: `edge ${flow}`, 'marker-end': `url(#arrow-${flow})` })
    ),
    group('RabbitMQ', queues, seen.broker.up),
    draw('text', { x: 1126, y: 22, class: 'small', 'text-anchor': 'end' }, 'sync'),
    boxes.map(drawBox)
  )
  place.replaceChildren(svg)
}

const arrowheads = () =>
  draw(
    'defs',
    {},
    ['request', 'write', 'read', 'sync'].map(flow =>
      draw(
        'marker',
        {
          ...{ id: `arrow-${flow}`, class: `head ${flow}`, viewBox: '0 0 8 8', refX: 7, refY: 4 },
          ...{ markerWidth: 7, markerHeight: 7, orient: 'auto' }
        },
        draw('path', { d: 'M0 0L8 4L0 8z' })
      )
    )
  )

/** A frame around several boxes. */
function group(title, boxes, isUp) {
  const first = boxes[0]
  const last = boxes.at(-1)
  return draw(
    'g',
    { class: isUp ? 'frame' : 'frame gone' },
    draw('rect', {
      ...{ x: first.x - 12, y: first.y - 26, width: first.width + 24, rx: 10 },
      height: last.y + last.height - first.y + 38
    }),
    draw('text', { x: first.x, y: first.y - 9, class: 'small' }, isUp ? title : `${title} is away`)
  )
}

function drawBox({ id, kind, x, y, width, height, title, lines, marks, state, role }) {
  return draw(
    'g',
    { class: `box ${kind} ${state} ${role ?? ''}`, 'data-id': id },
    draw('rect', { x, y, width, height, rx: 8 }),
    draw('rect', { x, y, width: 5, height, rx: 2.5, class: 'stripe' }),
    draw('text', { x: x + 16, y: y + 22, class: 'title' }, title),
    lines.map((line, at) =>
      draw('text', { x: x + 16, y: y + 41 + at * 18, class: 'small' }, shortened(line))
    ),
    marks.map(mark =>
      draw(
        'text',
        {
          x: x + width - 10,
          y: kind === 'worker' ? y + 22 : y - 5,
          class: 'mark',
          'text-anchor': 'end'
        },
        mark
      )
    )
  )
}

const shortened = text => (text.length > 46 ? `${text.slice(0, 45)}…` : text)

const HEADINGS = [
  'Role',
  'Pid',
  'Id',
  'In sync',
  'Index',
  'Lag',
  'Reads/s',
  'CPU %',
  'MiB',
  'Since',
  'Trouble'
]

export function drawWorkers(place, { cluster }) {
  const rows = cluster.workers.map(worker => {
    const { role, pid, id, inSync, index, lag, readsPerS, cpuPercent, memoryMiB } = worker
    const since = new Date(worker.since).toLocaleTimeString('en-GB')
    const cells = [
      pid,
      id,
      inSync ? 'yes' : 'no',
      ...[index, lag, readsPerS, cpuPercent, memoryMiB].map(figure)
    ]
    return make(
      'tr',
      {},
      make('th', { scope: 'row' }, role),
      [...cells, since, worker.trouble ?? ''].map(cell => make('td', {}, String(cell)))
    )
  })
  const head = HEADINGS.map(heading => make('th', { scope: 'col' }, heading))
  place.replaceChildren(
    make('table', {}, make('thead', {}, make('tr', {}, head)), make('tbody', {}, rows))
  )
}
