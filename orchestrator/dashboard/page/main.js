/**
 * Starts the page: which part of it is shown, its theme, and the stream that it draws.
 */
import { follow } from './api.js'
import { Charts } from './charts.js'
import { openControls, showInstances, showSettings } from './controls.js'
import { askForToken, openTokenDialog } from './dialogs.js'
import { byId, make, say } from './dom.js'
import { drawPicture, drawWorkers } from './picture.js'
import { openRequests } from './requests.js'
import { samplesOf } from './scale.js'
import { openSql } from './sql.js'
import { Timeline } from './timeline.js'
import { clock, figure } from './words.js'

const THEME = 'convoy.theme'
const LINK = { live: 'live', away: 'not connected', refused: 'a token is needed' }

const charts = new Charts()
const timeline = new Timeline()

const ON = {
  history({ samples, timeline: happenings }) {
    charts.begin(samplesOf(samples))
    for (const one of happenings) if (one.type === 'elected') charts.mark(Date.parse(one.at))
    timeline.begin(happenings)
  },
  cluster(seen) {
    drawFacts(seen)
    drawPicture(byId('picture'), seen)
    drawWorkers(byId('workers'), seen)
    showSettings(seen)
    showInstances(seen)
    timeline.know(seen.cluster.workers)
  },
  sample: sample => charts.add(sample),
  happening(happening) {
    if (happening.type === 'elected') charts.mark(Date.parse(happening.at))
    timeline.add(happening)
  }
}

openTheme()
openPages()
openControls()
openSql()
openRequests()
const connectAgain = follow({
  event: (type, data) => ON[type]?.(data),
  state(now) {
    say(byId('link'), LINK[now])
    byId('link').dataset.state = now
    if (now === 'refused') askForToken()
  }
})
openTokenDialog(connectAgain)

function drawFacts({ cluster, orchestratorId }) {
  const { term, inSync, minCopies, commitIndex, replicas, policy, stuck } = cluster
  const decided = policy.decision
  const why = decided === null ? '' : `, ${decided.reason} at ${clock(decided.at)}`
  const facts = {
    Term: figure(term),
    'In sync': `${inSync.length}, at least ${minCopies} for a write`,
    'Committed up to': figure(commitIndex),
    Replicas: `${replicas.actual} of ${replicas.wanted} wanted`,
    Policy: `${policy.kind}${why}`
  }
  byId('facts').replaceChildren(
    ...Object.entries(facts).map(([name, value]) =>
      make('div', {}, make('dt', {}, name), make('dd', {}, value))
    )
  )
  byId('stuck').hidden = stuck === null
  say(byId('stuck'), stuck?.message ?? '')
  say(
    byId('whose'),
    `Throughput, replicas, queues and lag are those of the whole cluster. Latencies, failures and waiting lanes are those of orchestrator ${orchestratorId}, which serves this page. Upright lines are elections.`
  )
}

/** `#/cluster`, `#/sql`, `#/requests`; what is chosen gets the focus, but not at the start. */
function openPages() {
  const pages = ['cluster', 'sql', 'requests']
  const show = () => {
    if (location.hash !== '' && !location.hash.startsWith('#/')) return
    const chosen = pages.find(page => location.hash === `#/${page}`) ?? 'cluster'
    for (const page of pages) {
      byId(page).hidden = page !== chosen
      const link = document.querySelector(`nav a[href="#/${page}"]`)
      if (page === chosen) link.setAttribute('aria-current', 'page')
      else link.removeAttribute('aria-current')
    }
    document.title = `${byId(`${chosen}-title`).textContent} – Convoy`
  }
  addEventListener('hashchange', () => {
    show()
    byId('main').focus({ preventScroll: true })
  })
  show()
}

function openTheme() {
  const select = byId('theme')
  select.value = localStorage.getItem(THEME) ?? ''
  const apply = () => {
    document.documentElement.dataset.theme = select.value
  }
  select.addEventListener('change', () => {
    localStorage.setItem(THEME, select.value)
    apply()
  })
  apply()
}
