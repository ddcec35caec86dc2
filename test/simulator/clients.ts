/**
 * Simulated clients: each asks one thing at a time of some orchestrator, and writes
 * down what it was told. A change without an answer is asked again with its id.
 */
import { UnknownOutcomeError } from '../../orchestrator/errors.ts'
import type { Answer, Caller } from '../../orchestrator/lanes/pending-writes.ts'
import type { Operation, Outcome } from '../../testing/history/history.ts'
import type { Orchestrator } from './orchestrator.ts'
import { parseBody } from './requests.ts'
import { type Ask, Asking, shownBy, statementOf } from './workloads.ts'
import type { World } from './world.ts'

/** Beyond the request's own deadline. */
const PATIENCE_MS = 100
const LOOK_MS = 80
const ATTEMPTS_MAX = 4

const OUTCOMES: Readonly<Record<number, Outcome>> = { 200: 'ok', 409: 'rejected' }

interface Asked {
  readonly ask: Ask
  readonly requestId: string
  readonly beginMs: number
  readonly minIndex: number
  readonly attempt: number
  readonly poison: boolean
}

interface Told {
  readonly outcome: Outcome
  readonly index: number | null
  readonly row: string
}

const UNTOLD: Told = { outcome: 'unknown', index: null, row: '' }
const REFUSED: Told = { outcome: 'failed', index: null, row: '' }

export class Clients {
  readonly asking: Asking
  readonly history: Operation[] = []
  /** Set when no more is to be asked. */
  stopped = false
  readonly #all: Client[]

  constructor(world: World, orchestrators: () => readonly Orchestrator[]) {
    this.asking = new Asking(world.dice)
    const names = Array.from({ length: world.plan.clients }, (_, i) => `c${i + 1}`)
    this.#all = names.map(name => new Client(world, { name, clients: this, orchestrators }))
    const look = () => {
      for (const client of this.#all) client.look()
      world.timeline.after(LOOK_MS, look)
    }
    look()
  }

  /** Requests that have no outcome yet. */
  get open(): number {
    return this.#all.filter(({ waits }) => waits).length
  }

  /** The earliest moment at which some client was last told that something was done. */
  get allServedMs(): number {
    return Math.min(...this.#all.map(({ servedMs }) => servedMs))
  }
}

class Client {
  readonly name: string
  waits = false
  servedMs = 0
  readonly #world: World
  readonly #clients: Clients
  readonly #orchestrators: () => readonly Orchestrator[]
  /** The highest index that it was told: what it asks for in a `session`. */
  #index = 0
  #count = 0
  #untold: (told: Told) => void = () => {}
  #patientUntilMs = 0

  constructor(
    world: World,
    of: { name: string; clients: Clients; orchestrators: () => readonly Orchestrator[] }
  ) {
    this.#world = world
    this.name = of.name
    this.#clients = of.clients
    this.#orchestrators = of.orchestrators
    this.#later()
  }

  /** Gives up what nobody answers. */
  look(): void {
    if (this.waits && this.#world.timeline.nowMs >= this.#patientUntilMs) this.#untold(UNTOLD)
  }

  #later(): void {
    const { dice, plan, timeline } = this.#world
    timeline.after(dice.next() * 2 * plan.thinkMs, () => this.#next())
  }

  #next(): void {
    if (this.#clients.stopped) return
    const ask = this.#clients.asking.next()
    this.#count += 1
    this.waits = true
    const minIndex = ask.kind === 'read' && ask.consistency === 'session' ? this.#index : 0
    const beginMs = this.#world.timeline.nowMs
    const requestId = `${this.name}.${this.#count}`
    this.#try({ ask, requestId, beginMs, minIndex, attempt: 1, poison: this.#isPoison(ask) })
  }

  /** None when all is to heal. */
  #isPoison(ask: Ask): boolean {
    const { plan, timeline, dice } = this.#world
    if (plan.poisonous === 0 || timeline.nowMs > plan.faultsMs) return false
    return ask.kind === 'change' && dice.chance(plan.poisonous)
  }

  #try(asked: Asked): void {
    const { world, open, settle } = this.#attempt(asked)
    const orchestrator = world.dice.pick(this.#orchestrators())
    if (orchestrator === undefined) {
      world.timeline.after(1, () => settle(refusedOf(asked)))
      return
    }
    this.#untold = settle
    this.#patientUntilMs = world.timeline.nowMs + world.plan.ttlMs + PATIENCE_MS
    const answered = (told: Told) => {
      // It leaves its orchestrator's process, and is lost with that.
      if (orchestrator.alive) world.timeline.after(world.delay(), () => settle(told))
    }
    const caller: Caller = {
      answer: answer => answered(toldBy(answer)),
      refuse: error => answered(error instanceof UnknownOutcomeError ? UNTOLD : refusedOf(asked))
    }
    world.timeline.after(world.delay(), () => {
      if (!orchestrator.alive) settle(refusedOf(asked))
      orchestrator.do(() => {
        if (open()) this.#send(orchestrator, asked, caller)
      })
    })
  }

  /** One answer, or none in time, whichever comes first. */
  #attempt(asked: Asked) {
    let isOpen = true
    const settle = (told: Told) => {
      if (!isOpen) return
      isOpen = false
      this.#settled(asked, told)
    }
    return { world: this.#world, open: () => isOpen, settle }
  }

  #send(orchestrator: Orchestrator, asked: Asked, caller: Caller): void {
    const { ask, requestId, minIndex, beginMs } = asked
    const { ttlMs } = this.#world.plan
    if (ask.kind === 'change') {
      const statements = `${asked.poison ? 'poison ' : ''}${statementOf(ask.key, ask.action)}`
      this.#world.judge.asked(requestId, orchestrator)
      orchestrator.write({ requestId, commandHash: statements, statements }, ttlMs, caller)
    } else {
      const { key, consistency } = ask
      orchestrator.read({ key, consistency, minIndex, askedMs: beginMs }, ttlMs, caller)
    }
  }

  #settled(asked: Asked, told: Told): void {
    const { ask, requestId, beginMs, attempt } = asked
    const { timeline, dice, note } = this.#world
    const isTold = told.outcome !== 'unknown'
    this.#clients.history.push(this.#operation(asked, told))
    note?.(`${this.name} ${requestId} ${ask.key}: ${told.outcome} at ${told.index} ${told.row}`)
    if (told.outcome === 'ok' || told.outcome === 'rejected') {
      this.servedMs = beginMs
      this.#index = Math.max(this.#index, told.index ?? 0)
    }
    const again = !isTold && ask.kind === 'change' && attempt < ATTEMPTS_MAX && dice.chance(0.8)
    if (again) {
      this.#try({ ...asked, beginMs: timeline.nowMs, attempt: attempt + 1 })
      return
    }
    this.waits = false
    this.#later()
  }

  #operation(asked: Asked, told: Told): Operation {
    const { ask, requestId, beginMs, minIndex } = asked
    const { outcome, index } = told
    const endMs = outcome === 'unknown' ? Number.POSITIVE_INFINITY : this.#world.timeline.nowMs
    const common = { process: this.name, beginMs, endMs, outcome, index }
    if (ask.kind === 'change') return { ...ask, ...common, requestId }
    const value = outcome === 'ok' ? shownBy(ask.model, told.row) : null
    const asksFor = ask.consistency === 'session' ? minIndex : null
    return { ...ask, ...common, minIndex: asksFor, value }
  }
}

function toldBy({ status, body }: Answer): Told {
  const { index, result } = parseBody(body)
  const outcome = OUTCOMES[status] ?? 'failed'
  return { outcome, index, row: result }
}

/** Of a change that was asked before, an earlier copy may be on its way. */
const refusedOf = ({ attempt }: Asked): Told => (attempt > 1 ? UNTOLD : REFUSED)
