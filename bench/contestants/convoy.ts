/** A whole Convoy of the bench's own. */
import type { Run } from '../../local/convoy.ts'
import { startConvoy } from '../../testing/environment.ts'
import { onEveryWorker } from '../below.ts'
import type { Processes } from '../profile/processes.ts'
import type { Contestant } from './contestant.ts'

/** Services that answer requests of the bench. */
const ON_THE_WAY = ['lb', 'users-api', 'rides-api', 'orchestrator', 'rabbitmq', 'zookeeper']

export async function openConvoy(options: {
  readonly replicas: number
  readonly say: (line: string) => void
}): Promise<Contestant> {
  const convoy = await startConvoy(options)
  const { orchestrator, lb } = convoy.run.addresses
  return {
    name: 'convoy',
    title: `Convoy, one master and ${options.replicas} replicas`,
    doors: { database: orchestrator, rides: lb },
    below: sql => onEveryWorker(convoy.run.workersDir, sql),
    processes: () => processesOf(convoy.run, ON_THE_WAY),
    [Symbol.asyncDispose]: () => convoy[Symbol.asyncDispose]()
  }
}

/** Services by their names, and workers by their roles now, numbered where there are several. */
export async function processesOf(run: Run, services: readonly string[]): Promise<Processes> {
  const answer = await fetch(`${run.addresses.orchestrator}/api/v1/cluster`)
  const { workers } = (await answer.json()) as { workers: { pid: number; role: string }[] }
  const byRole = Map.groupBy(
    workers.toSorted((a, b) => a.pid - b.pid),
    ({ role }) => role
  )
  const named = [...byRole].flatMap(([role, all]) =>
    all.map(({ pid }, i): [string, number] => [role === 'master' ? role : `${role} ${i + 1}`, pid])
  )
  const running = Object.entries(run.pids).filter(([name]) => services.includes(name))
  return new Map([...running, ...named])
}
