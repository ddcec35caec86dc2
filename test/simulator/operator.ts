/**
 * An operator of a simulated cluster whose ZooKeeper has lost everything: runs what
 * `npm run recover` decides, once every worker that has data is back and fenced, and
 * later lets go of what was kept.
 */
import { bestOf, newState, situationOf } from '../../cli/recover/choice.ts'
import type { KnownWorker, Survey } from '../../cli/recover/survey.ts'
import type { Peer } from '../../workers/protocol/state.ts'
import type { Places } from './places.ts'
import type { World } from './world.ts'

const LOOK_MS = 60
/** Of who has no data yet: see Joiner in places.ts. */
const NO_WORKER = 0

export class Operator {
  readonly #world: World
  readonly #places: Places

  constructor(world: World, places: Places) {
    this.#world = world
    this.#places = places
  }

  /** Somebody has noticed that the memory is lost. */
  call(): void {
    this.#again(() => this.#recover())
  }

  #again(what: () => void): void {
    const { dice, timeline } = this.#world
    timeline.after(dice.between(LOOK_MS, 4 * LOOK_MS), what)
  }

  #recover(): void {
    const { zookeeper } = this.#world
    const found = this.#survey()
    if (zookeeper.up && this.#isComplete() && situationOf(found).kind === 'memoryLost') {
      zookeeper.compareAndSet(zookeeper.now.node.version, newState(found, bestOf(found.workers)))
      this.#again(() => this.#forget())
    } else this.#again(() => this.#recover())
  }

  /** Whoever is missing may have what nobody else has; and who is shown may just have lost it. */
  #isComplete(): boolean {
    const { disks, zookeeper } = this.#world
    const { peers } = zookeeper.now
    const isLost = ([id, { pid }]: [string, Peer]) => pid !== NO_WORKER && !disks.has(id)
    if ([...peers].some(isLost)) return false
    return this.#places.all.every(({ workerId }) => {
      return workerId === null || peers.get(workerId)?.role === 'fenced'
    })
  }

  #survey(): Survey {
    const { node, peers } = this.#world.zookeeper.now
    const workers = [...peers].map(([id, peer]) => {
      return { id, live: shownBy(peer), place: null, missing: null }
    })
    return { node, workers }
  }

  /** `npm run recover -- --forget`, once a master leads again. */
  #forget(): void {
    const { zookeeper } = this.#world
    const { state, version } = zookeeper.now.node
    if (zookeeper.up && !state.keepDiverged) return
    if (!zookeeper.up || state.master === null) this.#again(() => this.#forget())
    else zookeeper.compareAndSet(version, { ...state, keepDiverged: false })
  }
}

function shownBy(peer: Peer): KnownWorker['live'] {
  const figures = { applied: 0, readsPerS: 0, cpuPercent: 0, memoryMiB: 0 }
  const nowhere = { host: '', container: null, clone: null, since: '' }
  const clusterId = peer.pid === NO_WORKER ? null : 'sim'
  return { ...peer, ...nowhere, clusterId, trouble: null, figures }
}
