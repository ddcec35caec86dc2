/**
 * Linearizability by search: Wing and Gong's algorithm with Lowe's memory of the
 * configurations tried, as porcupine and knossos do it. Next may come any operation
 * that began before the first answer among those still to be placed; an unknown one
 * may come at any time after its begin, or never.
 * Where to look first is told by the index answered. That only makes a sound history
 * quick to prove: the verdict does not rest on it.
 */
import type { Operation } from './history.ts'

export interface Machine<State extends string | number | null> {
  readonly initial: State
  /** @returns the state after `operation`; undefined where its answer does not fit `state` */
  next(state: State, operation: Operation): State | undefined
}

export type Verdict =
  | { readonly kind: 'linearizable' }
  /** `stuck`: what could have come next at the farthest point, and could not. */
  | { readonly kind: 'impossible' | 'undecided'; readonly stuck: readonly Operation[] }

/** Configurations tried before it is given up: some seconds. */
const TRIES_MAX = 1_000_000

interface Piece {
  readonly id: number
  readonly operation: Operation
  readonly known: boolean
  /** By its answer: 0 for what was answered first. */
  rank: number
  /** Where the index answered says that it belongs. */
  place: number
}

/** A configuration, and how far its successors have been tried. */
interface Moment<State> {
  readonly state: State
  /** The first answer that is still to be placed; all that was answered before it is placed. */
  readonly first: Piece
  /** Placed although answered later than `first`, by id. */
  readonly ahead: readonly number[]
  readonly candidates: readonly Piece[]
  tried: number
}

interface Placed<State> {
  readonly piece: Piece
  /** Behind it. */
  readonly state: State
}

export function linearize<State extends string | number | null>(
  operations: readonly Operation[],
  machine: Machine<State>
): Verdict {
  const pieces = piecesOf(operations)
  const rest = new Rest(pieces)
  const seen = new Set<string>()
  const way: { moment: Moment<State>; placed: Placed<State> }[] = []
  let moment = momentAt(rest, machine, { state: machine.initial, ahead: [] })
  let farthest = { depth: -1, stuck: [] as readonly Piece[] }
  while (moment !== null) {
    if (way.length > farthest.depth) farthest = { depth: way.length, stuck: moment.candidates }
    if (seen.size > TRIES_MAX) return { kind: 'undecided', stuck: farthest.stuck.map(operationOf) }
    const placed = nextFitting(moment, machine)
    if (placed === null) {
      const last = way.pop()
      if (last === undefined) return { kind: 'impossible', stuck: farthest.stuck.map(operationOf) }
      rest.putBack(last.placed.piece)
      moment = last.moment
      continue
    }
    rest.take(placed.piece)
    const ahead = [...moment.ahead, placed.piece.id]
    const after = momentAt(rest, machine, { state: placed.state, ahead })
    if (after !== null && wasSeen(seen, after)) rest.putBack(placed.piece)
    else {
      way.push({ moment, placed })
      moment = after
    }
  }
  return { kind: 'linearizable' }
}

const operationOf = ({ operation }: Piece): Operation => operation

function nextFitting<State extends string | number | null>(
  moment: Moment<State>,
  machine: Machine<State>
): Placed<State> | null {
  while (moment.tried < moment.candidates.length) {
    const piece = moment.candidates[moment.tried++] as Piece
    const state = machine.next(moment.state, piece.operation)
    if (state !== undefined) return { piece, state }
  }
  return null
}

/** What is placed is all that was answered before `first`, and `ahead`: with the state, that is all. */
function wasSeen(seen: Set<string>, { first, state, ahead }: Moment<string | number | null>) {
  const { size } = seen
  return seen.add(`${first.id} ${state} ${ahead}`).size === size
}

/** @returns null when all that was answered is placed */
function momentAt<State extends string | number | null>(
  rest: Rest,
  machine: Machine<State>,
  at: { state: State; ahead: readonly number[] }
): Moment<State> | null {
  const open = rest.open()
  if (open.first === null) return null
  const { first } = open
  const ahead = at.ahead.filter(id => rest.rankOf(id) > first.rank).sort((a, b) => a - b)
  const candidates = inOrder(open.pieces, { machine, state: at.state })
  return { state: at.state, first, ahead, candidates, tried: 0 }
}

/**
 * Known ones by their place; unknown ones after them, but for those that the first
 * known one is waiting for.
 */
function inOrder<State extends string | number | null>(
  open: Piece[],
  { machine, state }: { machine: Machine<State>; state: State }
): Piece[] {
  const known = open.filter(piece => piece.known).sort((a, b) => a.place - b.place)
  const next = known[0]
  const unknown = open.length === known.length ? [] : open.filter(piece => !piece.known)
  if (next === undefined || unknown.length === 0) return known
  if (machine.next(state, next.operation) !== undefined) return [...known, ...unknown]
  const helps = unknown.filter(piece => {
    const after = machine.next(state, piece.operation)
    return after !== undefined && machine.next(after, next.operation) !== undefined
  })
  return [...helps, ...known, ...unknown.filter(piece => !helps.includes(piece))]
}

function piecesOf(operations: readonly Operation[]): Piece[] {
  const pieces = [...operations]
    .sort((a, b) => a.beginMs - b.beginMs)
    .map((operation, id): Piece => {
      return { id, operation, known: operation.outcome !== 'unknown', rank: 0, place: 0 }
    })
  const answered = [...pieces].sort((a, b) => endOf(a) - endOf(b) || a.id - b.id)
  let reached = 0
  for (const [rank, piece] of answered.entries()) {
    const { index, kind } = piece.operation
    reached = Math.max(reached, index ?? 0)
    piece.rank = rank
    piece.place = (index ?? reached) + (kind === 'read' ? 0.5 : 0)
  }
  return pieces
}

const endOf = (piece: Piece): number =>
  piece.known ? piece.operation.endMs : Number.POSITIVE_INFINITY

/** What is still to be placed, in the order of its begin: a list that is cut and mended in place. */
class Rest {
  readonly #pieces: readonly Piece[]
  readonly #next: Int32Array
  readonly #before: Int32Array

  constructor(pieces: readonly Piece[]) {
    this.#pieces = pieces
    // Position 0 is the head, and piece `id` is at id + 1.
    this.#next = Int32Array.from({ length: pieces.length + 2 }, (_, i) => i + 1)
    this.#before = Int32Array.from({ length: pieces.length + 2 }, (_, i) => i - 1)
  }

  rankOf(id: number): number {
    return (this.#pieces[id] as Piece).rank
  }

  take({ id }: Piece): void {
    const next = this.#next[id + 1] as number
    const before = this.#before[id + 1] as number
    this.#next[before] = next
    this.#before[next] = before
  }

  /** In the reverse order of the taking. */
  putBack({ id }: Piece): void {
    this.#next[this.#before[id + 1] as number] = id + 1
    this.#before[this.#next[id + 1] as number] = id + 1
  }

  /** What began before the first answer, and whose answer that is. */
  open(): { pieces: Piece[]; first: Piece | null } {
    const pieces: Piece[] = []
    let first: Piece | null = null
    let at = this.#next[0] as number
    while (at <= this.#pieces.length) {
      const piece = this.#pieces[at - 1] as Piece
      if (first !== null && piece.operation.beginMs > endOf(first)) break
      pieces.push(piece)
      if (piece.known && (first === null || piece.rank < first.rank)) first = piece
      at = this.#next[at] as number
    }
    return { pieces, first }
  }
}
