/**
 * Where a process spent its time, from a `.cpuprofile`: functions by the time in
 * themselves, and the checkout's own functions by the time with all that they called.
 * Samples come by the clock, not by CPU time, so a long gap between two is time
 * without a core, and is counted as no more than an ordinary one.
 */
import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'

interface Frame {
  readonly functionName: string
  readonly url: string
  /** Counted from 0. */
  readonly lineNumber: number
}

export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number
    readonly callFrame: Frame
    readonly children?: readonly number[]
  }[]
  readonly samples: readonly number[]
  /** Microseconds since the sample before. */
  readonly timeDeltas: readonly number[]
}

export interface FunctionTime {
  readonly name: string
  /** `file:line` below the checkout, or what there is. */
  readonly place: string
  /** Of the time in which the process did anything. */
  readonly share: number
}

export interface Times {
  /** Share of the profile's duration. */
  readonly busy: number
  readonly self: readonly FunctionTime[]
  readonly ownTotal: readonly FunctionTime[]
}

/** Two intervals between samples, as `inspect.ts` sets them. */
const GAP_MAX_US = 1_000
const IDLE = new Set(['(idle)', '(root)'])

export function timesOf(
  profile: CpuProfile,
  { count, checkout }: { readonly count: number; readonly checkout: string }
): Times {
  const keys = new Map(
    profile.nodes.map(({ id, callFrame }) => [id, keyOf(callFrame, checkout)] as const)
  )
  const frames = new Map(profile.nodes.map(({ id, callFrame }) => [id, callFrame]))
  const stacks = stacksOf(profile, keys)
  const self = new Map<string, number>()
  const total = new Map<string, number>()
  let allUs = 0
  let busyUs = 0
  profile.samples.forEach((id, i) => {
    // What a sample shows went on until the next one.
    const gapUs = profile.timeDeltas[i + 1] ?? 0
    allUs += gapUs
    if (IDLE.has(frames.get(id)?.functionName ?? '')) return
    const us = Math.min(gapUs, GAP_MAX_US)
    busyUs += us
    add(self, keys.get(id), us)
    for (const key of stacks.get(id) ?? []) add(total, key, us)
  })
  const own = new Map([...total].filter(([key]) => isOwn(key)))
  return {
    busy: busyUs / allUs,
    self: highest(self, { count, busyUs }),
    ownTotal: highest(own, { count, busyUs })
  }
}

/** The functions that each node stands in, each once however deep it recurses. */
function stacksOf(
  { nodes }: CpuProfile,
  keys: ReadonlyMap<number, string>
): Map<number, ReadonlySet<string>> {
  const parents = new Map(
    nodes.flatMap(({ id, children = [] }) => children.map(child => [child, id]))
  )
  const stackOf = (id: number): ReadonlySet<string> => {
    const stack = new Set<string>()
    for (let at: number | undefined = id; at !== undefined; at = parents.get(at)) {
      stack.add(keys.get(at) ?? '')
    }
    return stack
  }
  return new Map(nodes.map(({ id }) => [id, stackOf(id)]))
}

const SEPARATOR = '  '

function keyOf({ functionName, url, lineNumber }: Frame, checkout: string): string {
  const path = url.startsWith('file:') ? relative(checkout, fileURLToPath(url)) : url
  const place = path === '' ? 'native' : `${path}:${lineNumber + 1}`
  return `${functionName || '(anonymous)'}${SEPARATOR}${place}`
}

const isOwn = (key: string) => {
  const place = key.split(SEPARATOR)[1] ?? ''
  return !/^(node:|wasm:|node_modules\/|\.\.\/|native$)/.test(place)
}

function highest(
  times: ReadonlyMap<string, number>,
  { count, busyUs }: { readonly count: number; readonly busyUs: number }
): FunctionTime[] {
  const sorted = [...times].sort(([, a], [, b]) => b - a).slice(0, count)
  return sorted.map(([key, us]) => {
    const [name = '', place = ''] = key.split(SEPARATOR)
    return { name, place: place.replace('node_modules/', ''), share: us / busyUs }
  })
}

function add(times: Map<string, number>, key: string | undefined, us: number): void {
  if (key !== undefined) times.set(key, (times.get(key) ?? 0) + us)
}
