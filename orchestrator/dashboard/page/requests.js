/**
 * The logs of one request, from all processes whose logs are on this machine.
 */
import { call, wordsOf } from './api.js'
import { askForToken } from './dialogs.js'
import { byId, make, say } from './dom.js'
import { plural } from './words.js'

export function openRequests() {
  byId('request-form').addEventListener('submit', event => {
    event.preventDefault()
    void look(byId('request-id').value.trim())
  })
}

async function look(requestId) {
  say(byId('request-said'), 'under way …')
  byId('lines').replaceChildren()
  const answer = await call('GET', `requests/${encodeURIComponent(requestId)}/logs`)
  if (answer.status === 401) askForToken()
  if (answer.status !== 200) return say(byId('request-said'), `Refused: ${wordsOf(answer)}`)
  const { lines, more, sources, unreachable } = answer.body
  const missing =
    unreachable.length === 0 ? '' : ` Not reachable from here: ${unreachable.join('; ')}.`
  const cut = more ? ', and there are more' : ''
  say(
    byId('request-said'),
    `${plural(lines.length, 'line')}${cut}, in the logs of ${sources.join(', ') || 'nobody'}.${missing}`
  )
  byId('lines').replaceChildren(...lines.map(lineItem))
}

function lineItem({ source, at, level, message, fields }) {
  return make(
    'li',
    { class: level },
    make('time', { datetime: at }, at.slice(11, 23)),
    make('span', { class: 'level' }, level),
    make('strong', {}, source),
    make('span', {}, message),
    make('code', {}, JSON.stringify(fields))
  )
}
