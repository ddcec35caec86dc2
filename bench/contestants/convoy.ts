/** A whole Convoy of the bench's own. */
import { startConvoy } from '../../test/environment.ts'
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
    async processes() {
      const services = Object.entries(convoy.run.pids).filter(([name]) => ON_THE_WAY.includes(name))
      return new Map([...services, ...(await workersOf(orchestrator))])
    },
    [Symbol.asyncDispose]: () => convoy[Symbol.asyncDispose]()
  }
}

async function workersOf(orchestrator: string): Promise<[string, number][]> {
  const answer = await fetch(`${orchestrator}/api/v1/cluster`)
  const { workers } = (await answer.json()) as { workers: { pid: number; role: string }[] }
  const sorted = workers.toSorted((a, b) => a.pid - b.pid)
  const masters = sorted.filter(({ role }) => role === 'master')
  const replicas = sorted.filter(({ role }) => role === 'replica')
  return [
    ...masters.map(({ pid }): [string, number] => ['master', pid]),
    ...replicas.map(({ pid }, i): [string, number] => [`replica ${i + 1}`, pid])
  ]
}
