/**
 * Finds the system to harm: the one that is asked for, or the one that runs here, or one
 * of chaos's own.
 */
import { UserError } from '../../../local/script.ts'
import { stackHere, stackSystem } from './containers.ts'
import { type OwnOptions, ownSystem } from './own.ts'
import { runningHere, runningSystem } from './running.ts'
import type { Target } from './target.ts'

export const TARGETS = ['process', 'docker', 'own'] as const
export type TargetName = (typeof TARGETS)[number]

export interface OpenOptions extends OwnOptions {
  /** Found out where it is not told. */
  readonly name: TargetName | undefined
  /** Of a stack in containers. */
  readonly cluster: string
  readonly say: (line: string) => void
}

/** @throws UserError when what is asked for does not run */
export async function openTarget(options: OpenOptions): Promise<Target> {
  const { name, cluster, say } = options
  const isAsked = (one: TargetName) => name === undefined || name === one
  const run = isAsked('process') ? runningHere() : undefined
  if (run !== undefined) return runningSystem(run)
  if (name === 'process') throw new UserError('no Convoy runs here: start one with `npm start`')
  const socket = isAsked('docker') ? await stackHere(cluster) : undefined
  if (socket !== undefined) return stackSystem(cluster, socket)
  if (name === 'docker') throw new UserError(`no stack ${cluster} runs here: npm run compose:up`)
  say('starting a system of its own')
  return ownSystem(options)
}
