/**
 * Puts the data of a new cluster in the place of what is there, by renames alone.
 * Invariants, wherever among them the process or the machine ends:
 * - Nothing is deleted: what was there is in its place or in `aside`.
 * - While ZooKeeper's data is away, there is a worker with data: so a start founds no empty
 *   cluster, but waits for an operator's choice (`convoy recover`).
 * - ZooKeeper's data lies beside all workers that it may name, and beside no others.
 */
import { randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import type { Folder } from '../../local/folder.ts'
import { UserError } from '../../local/script.ts'

export type Places = Pick<Folder, 'rabbitMq' | 'zooKeeper' | 'workers'>

/** Folders of a cluster that was made elsewhere in the same file system. */
export interface Made {
  readonly worker: string
  readonly zooKeeper: string
}

type Move = readonly [from: string, to: string]

/** @throws UserError when the file system refuses; then all is where it was */
export function takePlace(places: Places, made: Made, aside: string): void {
  const done: Move[] = []
  try {
    for (const move of movesOf(places, made, aside)) {
      renameSync(...move)
      done.push(move)
    }
  } catch (cause) {
    for (const [from, to] of done.reverse()) renameSync(to, from)
    const why = (cause as Error).message
    throw new UserError(`the data that is there stays: it cannot be moved: ${why}`, { cause })
  }
}

/** In the order in which the invariants hold after each of them. */
export function movesOf(places: Places, made: Made, aside: string): readonly Move[] {
  const { rabbitMq, zooKeeper, workers } = places
  return [
    // Messages of the old cluster must not come to the new one. Without them it is still the old one.
    ...contents(rabbitMq, join(aside, 'rabbitmq')),
    ...contents(zooKeeper, join(aside, 'zookeeper')),
    [made.worker, join(workers, randomBytes(4).toString('hex'))],
    ...contents(workers, join(aside, 'workers')),
    ...contents(made.zooKeeper, zooKeeper)
  ]
}

function contents(from: string, to: string): Move[] {
  mkdirSync(to, { recursive: true })
  return readdirSync(from).map(name => [join(from, name), join(to, name)])
}
