/**
 * What an operator can change from here. Each button says afterwards what came of it.
 */
import { call, wordsOf } from './api.js'
import { askForToken, isSure } from './dialogs.js'
import { byId, make, say } from './dom.js'

const KILL =
  'It is killed with kill -9. No acknowledged write is lost; the supervisor starts another worker in its place.'

export function openControls() {
  onSubmit('scale-fixed', () =>
    change('PUT', 'cluster/replicas', { count: numberIn('count') }, told('replicas wanted'))
  )
  onSubmit('scale-load', followLoad)
  onSubmit('freezing', ({ submitter }) => {
    const instance = byId('instance').value
    // Others may be missing, as one that has just died; they do not matter to it.
    const isMissing = ({ missing }) => missing.some(({ id }) => id === instance)
    return change('POST', `controls/${submitter.value}`, { instance }, answer =>
      isMissing(answer) ? 'Stored; it has not taken it yet' : 'Done'
    )
  })
  byId('handover').addEventListener('click', () =>
    change(
      'POST',
      'cluster/handover',
      undefined,
      ({ pid, term }) => `Worker ${pid} leads now, term ${term}`
    )
  )
  for (const [who, name] of [
    ['master', 'master'],
    ['slave', 'replica']
  ]) {
    byId(`crash-${who}`).addEventListener('click', async () => {
      const title = who === 'master' ? 'Kill the master?' : 'Kill the replica with the highest pid?'
      if (!(await isSure({ title, text: KILL, yes: `Kill the ${name}` }))) return
      await change('POST', `crash/${who}`, undefined, ([pid]) => `Killed worker ${pid}`)
    })
  }
}

/** The settings in force, into fields that nobody is at. */
export function showSettings({ cluster: { replicas, policy } }) {
  const shown = { count: replicas.wanted, min: replicas.min, max: replicas.max }
  for (const [id, value] of Object.entries(shown)) {
    const field = byId(id)
    if (document.activeElement !== field && field.dataset.shown !== String(value)) {
      field.value = value
      field.dataset.shown = value
    }
  }
  const select = byId('policy')
  if (policy.kind !== 'fixed' && select.dataset.shown !== policy.kind) {
    select.value = policy.kind
    select.dataset.shown = policy.kind
  }
}

/** What can be frozen; a list that somebody has open is changed only where it has to be. */
export function showInstances({ instances }) {
  const select = byId('instance')
  const names = instances.map(
    ({ service, pid, frozen }) => `${service} ${pid}${frozen ? ', frozen' : ''}`
  )
  if (select.dataset.shown === names.join()) return
  const chosen = select.value
  select.replaceChildren(...instances.map(({ id }, at) => make('option', { value: id }, names[at])))
  select.dataset.shown = names.join()
  if (instances.some(({ id }) => id === chosen)) select.value = chosen
}

async function followLoad() {
  const bounds = { min: numberIn('min'), max: numberIn('max') }
  const isDone = await change('PUT', 'cluster/replicas', bounds, told('bounds set'))
  if (isDone)
    await change(
      'PUT',
      'cluster/policy',
      { kind: byId('policy').value },
      told('bounds and policy set')
    )
}

/** @returns whether it was done */
async function change(method, path, body, told) {
  say(byId('done'), 'under way …')
  const answer = await call(method, path, body)
  if (answer.status === 401) askForToken()
  const isDone = answer.status === 200
  say(byId('done'), isDone ? told(answer.body) : `Refused: ${wordsOf(answer)}`)
  return isDone
}

const told = text => () => text.charAt(0).toUpperCase() + text.slice(1)
const numberIn = id => byId(id).valueAsNumber

function onSubmit(id, act) {
  byId(id).addEventListener('submit', event => {
    event.preventDefault()
    void act(event)
  })
}
