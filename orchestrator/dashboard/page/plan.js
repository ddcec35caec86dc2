/**
 * PostgreSQL's plan, from JSON to what is shown of each step. Pure.
 */
const NOTES = [
  'Filter',
  'Index Cond',
  'Hash Cond',
  'Join Filter',
  'Merge Cond',
  'Recheck Cond',
  'Sort Key',
  'Group Key'
]

/** @param body the answer to a read with `explain` */
export function planOf(body) {
  const [plan] = Object.values(body.rows[0])[0]
  const whole = plan.Plan['Total Cost'] || 1
  return { ...step(plan.Plan, whole), ms: plan['Execution Time'] ?? null }
}

function step(node, whole) {
  const on = node['Relation Name'] ?? node['CTE Name'] ?? node['Function Name']
  const alias = node.Alias === undefined || node.Alias === on ? '' : ` ${node.Alias}`
  const by = node['Index Name'] === undefined ? '' : ` by ${node['Index Name']}`
  const notes = NOTES.flatMap(name =>
    node[name] === undefined ? [] : [`${name}: ${[node[name]].flat().join(', ')}`]
  )
  return {
    title: `${node['Node Type']}${on === undefined ? '' : ` on ${on}${alias}`}${by}`,
    rows: node['Plan Rows'],
    cost: node['Total Cost'],
    ran: ranOf(node),
    share: Math.min(1, node['Total Cost'] / whole),
    notes,
    children: (node.Plans ?? []).map(child => step(child, whole))
  }
}

/** Of one that was run: rows and time of all its loops. */
function ranOf(node) {
  const loops = node['Actual Loops']
  if (loops === undefined) return null
  return { rows: node['Actual Rows'] * loops, ms: node['Actual Total Time'] * loops }
}
