/**
 * The SQL console: one statement as a read, as a write, or as the plan that PostgreSQL
 * has for it.
 */
import { call, wordsOf } from './api.js'
import { askForToken } from './dialogs.js'
import { byId, make, say } from './dom.js'
import { planOf } from './plan.js'
import { figure, plural } from './words.js'

const ROWS_MAX = 500
/** The highest index that an answer on this page has told: what a session read has to see. */
let seenIndex = 0

export function openSql() {
  byId('sql-form').addEventListener('submit', event => {
    event.preventDefault()
    void run(event.submitter.value)
  })
  byId('statement').addEventListener('keydown', event => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
      event.preventDefault()
      byId('sql-form').requestSubmit(byId('run'))
    }
  })
}

async function run(how) {
  const params = paramsGiven()
  if (params === undefined) return refuse('The parameters are no JSON array')
  say(byId('sql-said'), 'under way …')
  const statement = { sql: byId('statement').value, params }
  const answer = await ASK[how](statement)
  if (answer.status === 401) askForToken()
  if (answer.status !== 200) {
    pointAt(answer.body?.position)
    return refuse(wordsOf(answer))
  }
  seenIndex = Math.max(seenIndex, answer.body.index)
  if (how === 'plan' || how === 'analyze') showPlan(answer)
  else showRows(answer)
}

const ASK = {
  read(statement) {
    const consistency = byId('consistency').value
    const minIndex = consistency === 'session' ? { minIndex: seenIndex } : {}
    return call('POST', 'db/read', { ...statement, consistency, ...minIndex })
  },
  plan: statement => call('POST', 'db/explain', statement),
  analyze: statement => call('POST', 'db/explain', { ...statement, analyze: true }),
  write: statement => call('POST', 'db/write', { statements: [statement] })
}

function paramsGiven() {
  try {
    const params = JSON.parse(byId('params').value.trim() || '[]')
    return Array.isArray(params) ? params : undefined
  } catch {
    return undefined
  }
}

function refuse(words) {
  say(byId('sql-said'), `Refused: ${words}`)
  byId('result').replaceChildren()
}

/** @param position of a character, counted from 1 as PostgreSQL does */
function pointAt(position) {
  if (!Number.isInteger(position)) return
  // PostgreSQL counts characters, a field's selection UTF-16 units.
  const before = [...byId('statement').value].slice(0, position - 1).join('').length
  byId('statement').focus()
  byId('statement').setSelectionRange(before, before + 1)
}

function showRows({ body, ms, requestId }) {
  const { rows, rowCount } = body.results?.[0] ?? { rows: body.rows, rowCount: body.rows.length }
  const who = body.workerId === undefined ? `term ${body.term}` : `from worker ${body.workerId}`
  const cut = rows.length > ROWS_MAX ? `, the first ${ROWS_MAX} shown` : ''
  say(
    byId('sql-said'),
    `${plural(rowCount, 'row')}${cut} in ${figure(ms)} ms, ${who}, index ${figure(body.index)}, request ${body.requestId ?? requestId}`
  )
  const names = body.fields?.map(({ name }) => name) ?? Object.keys(rows[0] ?? {})
  const head = names.map((name, at) =>
    make('th', { scope: 'col' }, name, make('small', {}, ` ${body.fields?.[at]?.type ?? ''}`))
  )
  const lines = rows.slice(0, ROWS_MAX).map(row =>
    make(
      'tr',
      {},
      names.map(name => cellOf(row[name]))
    )
  )
  byId('result').replaceChildren(
    make('table', {}, make('thead', {}, make('tr', {}, head)), make('tbody', {}, lines))
  )
}

function cellOf(value) {
  if (value === null) return make('td', { class: 'null' }, 'null')
  return make('td', {}, typeof value === 'object' ? JSON.stringify(value) : String(value))
}

function showPlan({ body, ms }) {
  const plan = planOf(body)
  const ran = plan.ms === null ? 'nothing was run' : `it ran for ${figure(plan.ms)} ms`
  say(byId('sql-said'), `Plan in ${figure(ms)} ms, of worker ${body.workerId}; ${ran}`)
  byId('result').replaceChildren(make('ul', { class: 'plan' }, planItem(plan)))
}

function planItem({ title, rows, cost, ran, share, notes, children }) {
  const bar = make('meter', {
    min: 0,
    max: 1,
    value: share,
    'aria-label': 'share of the whole cost'
  })
  return make(
    'li',
    {},
    make('strong', {}, title),
    make('span', {}, ` about ${plural(rows, 'row')}, cost ${figure(cost)} `),
    ran === null
      ? null
      : make('span', {}, `in truth ${plural(ran.rows, 'row')}, ${figure(ran.ms)} ms `),
    bar,
    notes.map(note => make('div', { class: 'note' }, note)),
    children.length === 0 ? null : make('ul', {}, children.map(planItem))
  )
}
