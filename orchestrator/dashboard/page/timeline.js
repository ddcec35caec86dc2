/**
 * What happened, the newest first; elections are read out as they come.
 */
import { byId, make, say } from './dom.js'
import { clock, isFault, told } from './words.js'

const KEPT_MAX = 200

export class Timeline {
  #happenings = []
  /** By worker id: people know workers by their pids. */
  #pids = new Map()

  constructor() {
    byId('faults-only').addEventListener('change', () => this.#draw())
  }

  begin(happenings) {
    this.#happenings = [...happenings]
    for (const one of happenings) this.#learn(one)
    this.#draw()
  }

  add(happening) {
    this.#happenings.push(happening)
    this.#learn(happening)
    if (this.#happenings.length > KEPT_MAX) this.#happenings.shift()
    if (isFault(happening)) say(byId('news'), told(happening, this.#nameOf))
    this.#draw()
  }

  know(workers) {
    for (const { id, pid } of workers) this.#pids.set(id, pid)
  }

  #learn({ workerId, pid }) {
    if (workerId !== undefined && pid !== undefined) this.#pids.set(workerId, pid)
  }

  #nameOf = workerId => this.#pids.get(workerId) ?? workerId

  #draw() {
    const faultsOnly = byId('faults-only').checked
    const shown = this.#happenings.filter(one => !faultsOnly || isFault(one)).reverse()
    const items = shown.map(one =>
      make(
        'li',
        { class: one.type },
        make('time', { datetime: one.at }, clock(one.at)),
        make('span', {}, told(one, this.#nameOf))
      )
    )
    byId('timeline').replaceChildren(
      ...(items.length > 0 ? items : [make('li', {}, 'Nothing so far')])
    )
  }
}
