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
    this.#happenings = happenings.map(one => this.#inWords(one))
    this.#draw()
  }

  add(happening) {
    const one = this.#inWords(happening)
    this.#happenings.push(one)
    if (this.#happenings.length > KEPT_MAX) this.#happenings.shift()
    if (isFault(one)) say(byId('news'), one.text)
    this.#draw()
  }

  know(workers) {
    for (const { id, pid } of workers) this.#pids.set(id, pid)
  }

  /** At once: the pids are those of the time. */
  #inWords(happening) {
    const { workerId, pid } = happening
    if (workerId !== undefined && pid !== undefined) this.#pids.set(workerId, pid)
    return { ...happening, text: told(happening, id => this.#pids.get(id) ?? id) }
  }

  #draw() {
    const faultsOnly = byId('faults-only').checked
    const shown = this.#happenings.filter(one => !faultsOnly || isFault(one)).reverse()
    const items = shown.map(one =>
      make(
        'li',
        { class: one.type },
        make('time', { datetime: one.at }, clock(one.at)),
        make('span', {}, one.text)
      )
    )
    byId('timeline').replaceChildren(
      ...(items.length > 0 ? items : [make('li', {}, 'Nothing so far')])
    )
  }
}
