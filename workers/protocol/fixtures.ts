/**
 * States and entries for the protocol's tests: a small, readable beginning that
 * each test changes where it matters.
 */
import { checksumOf, type Entry, ORIGIN, type Position, positionOf } from '../entry.ts'
import type { Append } from './messages.ts'
import {
  beginning,
  type Effect,
  type Event,
  type Peer,
  type Settings,
  type State
} from './state.ts'
import { handle } from './step.ts'

export const SETTINGS: Settings = {
  minCopies: 2,
  heartbeatMs: 100,
  replicaTimeoutMs: 1_000,
  electionStepMs: 100,
  maxReadAgeMs: 1_100,
  masterStallMs: 2_000,
  sessionGraceMs: 4_000
}

export function worker(changes: Partial<State> = {}): State {
  const stored = { settings: SETTINGS, self: { id: 'a', pid: 100 }, clusterId: 'test' }
  const begun = beginning({ ...stored, term: 0, stateVersion: 0, last: ORIGIN, nowMs: 0 })
  const connected = {
    amqp: true,
    queue: 'sync.a',
    ackQueue: 'ack.a',
    session: true,
    contactMs: Number.NEGATIVE_INFINITY
  }
  return { ...begun, ...connected, stateAskedMs: 0, ...changes }
}

export function entriesAfter(
  prev: Position,
  options: { count: number; term: number; tag?: string; changes?: string }
): Entry[] {
  const entries: Entry[] = []
  let { index, checksum } = prev
  for (let i = 0; i < options.count; i++) {
    index += 1
    const requestId = `${options.tag ?? 'r'}${index}`
    const bare = { index, term: options.term, requestId, commandHash: '', status: 200 }
    const whole = { ...bare, changes: options.changes ?? '[]', result: '[]' }
    checksum = checksumOf(checksum, whole)
    entries.push({ ...whole, checksum })
  }
  return entries
}

export const endOf = (entries: readonly Entry[]): Position => {
  const newest = entries.at(-1)
  return newest === undefined ? ORIGIN : positionOf(newest)
}

export function peer(changes: Partial<Peer> = {}): Peer {
  return {
    pid: 200,
    role: 'replica',
    term: 1,
    last: { index: 0, term: 0 },
    reachesAmqp: true,
    diverged: false,
    yields: false,
    needsFrom: null,
    ...changes
  }
}

export const stateRead = (
  cluster: { term: number; master: string | null; inSync: readonly string[] },
  read: { version: number; beganMs: number }
): Event => ({
  kind: 'stateRead',
  node: { state: { clusterId: 'test', ...cluster }, version: read.version },
  beganMs: read.beganMs
})

export function append(changes: Partial<Append> & Pick<Append, 'term' | 'from'>): Event {
  const message: Append = {
    kind: 'append',
    ackTo: `ack.${changes.from}`,
    prev: ORIGIN,
    commitIndex: 0,
    barrier: 0,
    keepAfter: 0,
    entries: [],
    ...changes
  }
  return { kind: 'message', message }
}

/** Lets events happen one after the other. @returns the last state and all effects */
export function run(
  from: State,
  events: readonly Event[],
  nowMs = 1
): { state: State; effects: Effect[] } {
  let state = from
  const effects: Effect[] = []
  for (const event of events) {
    const next = handle(state, event, nowMs)
    state = next.state
    effects.push(...next.effects)
  }
  return { state, effects }
}

export const done = (effects: readonly Effect[], what: Effect['do']): Effect[] =>
  effects.filter(effect => effect.do === what)
