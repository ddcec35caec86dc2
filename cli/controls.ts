/**
 * The runtime controls of a cluster, as docs/controls.md has them, and how their answers
 * are told.
 */
import type { Controls } from '../platform/controls/shapes.ts'
import type { Orchestrators } from './orchestrator.ts'
import { plural } from './text.ts'

export type { Controls }

export interface Instance {
  readonly id: string
  readonly service: string
  readonly pid: number
}

export interface Changed {
  readonly version: number
  readonly controls: Controls
  readonly acknowledged: readonly Instance[]
  readonly missing: readonly Instance[]
}

export const controlsOf = (orchestrators: Orchestrators) =>
  orchestrators.call<{ readonly controls: Controls }>({ method: 'GET', path: '/api/v1/controls' })

export const changeControls = (
  orchestrators: Orchestrators,
  {
    method,
    name,
    body
  }: { readonly method: 'PUT' | 'POST'; readonly name: string; readonly body: object }
) => orchestrators.call<Changed>({ method, path: `/api/v1/controls/${name}`, body })

/** Who has taken it, and who will. */
export function takenText({ acknowledged, missing }: Changed): string {
  const taken = `${plural(acknowledged.length, 'instance')} took it`
  if (missing.length === 0) return taken
  const late = missing.map(({ service, pid }) => `${service} ${pid}`).join(', ')
  return `${taken}; not yet: ${late} (it will, when it reads /config)`
}
