/**
 * Where a process spent its time, from a `.cpuprofile`: functions by the time in
 * themselves, without what they called.
 */
import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'

export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number
    readonly callFrame: {
      readonly functionName: string
      readonly url: string
      /** Counted from 0. */
      readonly lineNumber: number
    }
  }[]
  readonly samples: readonly number[]
  /** Microseconds since the sample before. */
  readonly timeDeltas: readonly number[]
}

export interface SelfTime {
  readonly name: string
  /** `file:line` below the checkout, or what there is. */
  readonly place: string
  /** Of the time in which the process did anything. */
  readonly share: number
}

export interface SelfTimes {
  /** Share of the profile's duration. */
  readonly busy: number
  readonly top: readonly SelfTime[]
}

const IDLE = new Set(['(idle)', '(root)'])

export function selfTimes(
  profile: CpuProfile,
  { count, checkout }: { readonly count: number; readonly checkout: string }
): SelfTimes {
  const byId = new Map(profile.nodes.map(({ id, callFrame }) => [id, callFrame]))
  const spentUs = new Map<string, number>()
  let totalUs = 0
  let busyUs = 0
  profile.samples.forEach((id, i) => {
    // A delta is the time before its sample, spent in what the sample before showed.
    const us = profile.timeDeltas[i + 1] ?? 0
    const frame = byId.get(id)
    totalUs += us
    if (frame === undefined || IDLE.has(frame.functionName)) return
    busyUs += us
    const key = JSON.stringify([frame.functionName || '(anonymous)', placeOf(frame, checkout)])
    spentUs.set(key, (spentUs.get(key) ?? 0) + us)
  })
  const top = [...spentUs].sort(([, a], [, b]) => b - a).slice(0, count)
  return {
    busy: busyUs / totalUs,
    top: top.map(([key, us]) => {
      const [name, place] = JSON.parse(key) as [string, string]
      return { name, place, share: us / busyUs }
    })
  }
}

function placeOf(
  { url, lineNumber }: { readonly url: string; readonly lineNumber: number },
  checkout: string
): string {
  if (url === '') return 'native'
  const path = url.startsWith('file:') ? relative(checkout, fileURLToPath(url)) : url
  return `${path.replace('node_modules/', '')}:${lineNumber + 1}`
}
