/**
 * The page of metrics, the dashboard and the alert rules know the metrics that the code
 * registers, and no others.
 */
import { readFileSync } from 'node:fs'
import t from 'tap'
import Type from 'typebox'
import Value from 'typebox/value'
import { type Registered, registered } from '../testing/fixtures/registered-metrics.ts'

const read = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8')

const byProcess = await registered()
const known = new Map<string, Registered>()
for (const metrics of byProcess.values()) for (const one of metrics) known.set(one.name, one)

/** What Prometheus adds when it scrapes, and histograms have. */
const ADDED_LABELS = ['service', 'process', 'le']

/** As far as Grafana's model of a dashboard is used here. */
const DataSource = Type.Object({ type: Type.Literal('prometheus'), uid: Type.String() })
const Panel = Type.Object({
  id: Type.Integer({ minimum: 1 }),
  type: Type.Enum(['row', 'timeseries']),
  title: Type.String({ minLength: 1 }),
  gridPos: Type.Object({
    h: Type.Integer({ minimum: 1 }),
    w: Type.Integer({ minimum: 1, maximum: 24 }),
    x: Type.Integer({ minimum: 0, maximum: 23 }),
    y: Type.Integer({ minimum: 0 })
  }),
  datasource: Type.Optional(DataSource),
  fieldConfig: Type.Optional(
    Type.Object({
      defaults: Type.Object({ unit: Type.String() }),
      overrides: Type.Array(Type.Unknown())
    })
  ),
  targets: Type.Optional(
    Type.Array(
      Type.Object({
        refId: Type.String({ pattern: '^[A-Z]$' }),
        datasource: DataSource,
        expr: Type.String({ minLength: 1 }),
        legendFormat: Type.String()
      }),
      { minItems: 1 }
    )
  )
})
const Dashboard = Type.Object({
  title: Type.String({ minLength: 1 }),
  uid: Type.String({ minLength: 1, maxLength: 40 }),
  schemaVersion: Type.Integer({ minimum: 36 }),
  version: Type.Integer(),
  time: Type.Object({ from: Type.String(), to: Type.String() }),
  templating: Type.Object({
    list: Type.Array(Type.Object({ name: Type.String(), type: Type.Literal('datasource') }))
  }),
  panels: Type.Array(Panel, { minItems: 1 })
})

/** @returns names of metrics and labels in a PromQL expression that the code does not have */
function unknownIn(expr: string): string[] {
  const names = [...expr.matchAll(/\b(?:convoy|process|nodejs)_\w+/g)].map(([name]) => name)
  const found = names.map(name => known.get(name) ?? histogramOf(name))
  const labels = new Set([...ADDED_LABELS, ...found.flatMap(metric => metric?.labels ?? [])])
  const used = [
    ...[...expr.matchAll(/by \(([^)]*)\)/g)].flatMap(([, list = '']) => list.split(/, */)),
    ...[...expr.matchAll(/[{,]\s*(\w+)(?==|!)/g)].map(([, name = '']) => name)
  ]
  return [
    ...names.filter((_, i) => found[i] === undefined),
    ...used.filter(name => !labels.has(name)),
    ...(names.length === 0 ? [`no metric in ${expr}`] : [])
  ]
}

function histogramOf(name: string): Registered | undefined {
  const metric = known.get(name.replace(/_(bucket|sum|count)$/, ''))
  return metric?.type === 'histogram' ? metric : undefined
}

t.test('docs/metrics.md has each metric that the code registers, and no other', async t => {
  const rows = read('../docs/metrics.md')
    .split('\n')
    .map(line => line.split(' | ').map(cell => cell.replaceAll(/^\| | \|$/g, '')))
    .filter(cells => cells.length === 5 && cells[0]?.startsWith('`'))
  const bare = (text: string) => text.replaceAll('`', '')
  const told = rows.map(([name = '', type, labels = '', , help]) => ({
    name: bare(name),
    type,
    labels: labels === '' ? [] : bare(labels).split(', '),
    help
  }))
  const order = (a: { name: string }, b: { name: string }) => a.name.localeCompare(b.name)
  t.strictSame(told.sort(order), [...known.values()].sort(order))
  for (const [name = '', , , unit = ''] of rows) {
    if (/_seconds(_total)?`$/.test(name)) t.equal(unit, 'seconds', name)
    else if (name.endsWith('_bytes`')) t.equal(unit, 'bytes', name)
    else t.match(unit, /\w/, name)
  }
})

t.test('the dashboard is one for Grafana, of metrics that exist', async t => {
  const dashboard = JSON.parse(read('dashboard.json')) as unknown
  t.strictSame(Value.Errors(Dashboard, dashboard), [])
  const { panels } = Value.Parse(Dashboard, dashboard)
  t.equal(new Set(panels.map(({ id }) => id)).size, panels.length, 'ids are unique')
  for (const { type, title, gridPos, targets = [] } of panels) {
    t.ok(gridPos.x + gridPos.w <= 24, `${title} is within the width`)
    t.equal(targets.length > 0, type !== 'row', title)
    for (const { expr } of targets) t.strictSame(unknownIn(expr), [], expr)
  }
})

t.test('the alert rules are about metrics that exist', async t => {
  const rules = read('alerts.yaml')
    .split(/\n {6}- alert: /)
    .slice(1)
  t.ok(rules.length > 10)
  for (const rule of rules) {
    const [, expr = ''] = /\n {8}expr: (?:>-\s+)?([\s\S]*?)\n {8}\w+:/.exec(rule) ?? []
    t.strictSame(unknownIn(expr), [], expr)
  }
})
