/**
 * A thread of its own for one deliberate fault: it changes the source text of modules
 * as they load, then runs seeds until the simulator sees something.
 */
import { readFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { pathToFileURL } from 'node:url'
import { parentPort, workerData } from 'node:worker_threads'
import { CHECKOUT } from '../suite.ts'
import type { Edit, Mutation } from './mutations.ts'

export interface Task {
  readonly mutation: Mutation
  readonly first: number
  readonly seeds: number
}

export interface Result {
  /** How many seeds it took; null: all of them ran and nothing was seen. */
  readonly found: { readonly seeds: number; readonly what: string } | null
  readonly tookMs: number
}

const { mutation, first, seeds } = workerData as Task
const urlOf = ({ file }: Edit): string => pathToFileURL(`${CHECKOUT}${file}`).href
const waiting = new Set(mutation.edits)

for (const { file, from } of mutation.edits) {
  const count = readFileSync(`${CHECKOUT}${file}`, 'utf8').split(from).length - 1
  if (count !== 1) throw new Error(`${mutation.name}: ${count} times in ${file}, not once: ${from}`)
}

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context)
    const edits = mutation.edits.filter(edit => urlOf(edit) === url)
    if (edits.length === 0) return loaded
    let source = String(loaded.source)
    for (const edit of edits) {
      source = source.replace(edit.from, () => edit.to)
      waiting.delete(edit)
    }
    return { ...loaded, source }
  }
})

const beganMs = performance.now()
// Loaded only now, so that the hook is in its way.
const { runSchedule } = await import('./schedule.ts')
for (const { file } of waiting) throw new Error(`${mutation.name}: nothing loads ${file}`)

function run(): Result['found'] {
  for (let ran = 1; ran <= seeds; ran++) {
    try {
      runSchedule(first + ran - 1)
    } catch (error) {
      const [what = ''] = String(error instanceof Error ? error.message : error).split('\n')
      return { seeds: ran, what }
    }
  }
  return null
}

const found = run()
const result: Result = { found, tookMs: performance.now() - beganMs }
parentPort?.postMessage(result)
