import t from 'tap'
import { timeChart } from './time-chart.ts'

const points = [
  { second: 0, value: 2 },
  { second: 10, value: 5 }
]

t.test('a count is held until it changes, a measure is joined', async t => {
  const of = (stepped: boolean) =>
    timeChart('t', [
      { title: 'p', unit: 'u', lines: [{ label: 'l', color: 'red', stepped, points }] }
    ])
  t.match(of(true), /stroke="red" d="M56 \S+H\d+V\d/)
  t.match(of(false), /stroke="red" d="M56 \S+L\d/)
})

t.test('names are text, not markup', async t => {
  const lines = [{ label: 'a & <b>', color: 'red', points }]
  const svg = timeChart('x < y', [{ title: 'p', unit: 'u', lines, logarithmic: true }])
  t.match(svg, 'a &amp; &lt;b>')
  t.match(svg, '<title>x &lt; y</title>')
})

t.test('marks stand in a row each, below the panels and across them', async t => {
  const lines = [{ label: 'l', color: 'red', points }]
  const svg = timeChart(
    't',
    [{ title: 'p', unit: 'u', lines }],
    [
      { row: 'kill', color: 'green', text: 'kill -9 of lb', second: 2 },
      { row: 'pause', color: 'blue', text: 'a < b', second: 4, toSecond: 8 }
    ]
  )
  const widths = [...svg.matchAll(/<rect [^>]*width="([\d.]+)"/g)].map(([, width]) => Number(width))
  t.equal(widths[0], 3)
  t.ok((widths[1] ?? 0) > 200, 'what lasts is as long as it lasted')
  t.match(svg, '<title>a &lt; b</title>')
})
