/**
 * The stack that `npm run compose:up` runs: each process is a container of an engine on
 * this machine. Killed services are started again by the engine, workers by orchestrators.
 */
import Docker, { type Container } from 'dockerode'
import { engineSocket } from '../../../compose/docker.ts'
import { readSettings, settingsFileOf } from '../../../compose/settings.ts'
import { Stack } from '../../../compose/stack.ts'
import type { Dice } from '../../../testing/random.ts'
import type { FaultName, PlannedFault, Victim } from '../plan.ts'
import { systemNow, untilWhole } from './asked.ts'
import type { Doors, Struck, Target } from './target.ts'

const UNAVAILABLE: [FaultName, string][] = [
  ['slow', 'it takes netem in the network of each container, which their images do not bring'],
  ['disk', "volumes lie on the engine's own disk, which is not filled"]
]
const SERVICES: Readonly<Partial<Record<Victim, readonly string[]>>> = {
  orchestrator: ['orchestrator-1', 'orchestrator-2'],
  'users-api': ['users-api-1', 'users-api-2'],
  'rides-api': ['rides-api-1', 'rides-api-2']
}

/** The engine's socket, when the stack runs on it. */
export async function stackHere(cluster: string): Promise<string | undefined> {
  if (readSettings(settingsFileOf(cluster))['CONVOY_TOKEN'] === undefined) return undefined
  try {
    const { path } = engineSocket()
    const docker = new Docker({ socketPath: path })
    const running = await docker.listContainers({ filters: { label: [projectOf(cluster)] } })
    return running.length === 0 ? undefined : path
  } catch {
    return undefined // No engine answers.
  }
}

export function stackSystem(cluster: string, socketPath: string): Target {
  const docker = new Docker({ socketPath })
  const { lb, orchestrators } = new Stack(cluster).addresses
  const token = readSettings(settingsFileOf(cluster))['CONVOY_TOKEN']
  const stack = new Containers(docker, cluster, { lb, orchestrators, token })
  return {
    title: `the stack ${cluster} in containers`,
    ...{ doors: stack.doors, isOwn: false, unavailable: new Map(UNAVAILABLE) },
    // Out of its network is cut off from everything; of the others, clients know the address.
    cuts: { of: ['master', 'replica'], from: ['everything'] },
    strike: (planned, dice) => stack.strike(planned, dice),
    whole: (dead, withinMs) => untilWhole(stack.doors, { dead, withinMs }),
    keepLogs: () => {}, // `docker logs` has them.
    [Symbol.asyncDispose]: () => stack.heal()
  }
}

const projectOf = (cluster: string): string => `com.docker.compose.project=convoy-${cluster}`

export class Containers {
  readonly doors: Doors
  readonly #docker: Docker
  readonly #cluster: string
  readonly #lasting = new Set<() => Promise<void>>()

  constructor(docker: Docker, cluster: string, doors: Doors) {
    this.#docker = docker
    this.#cluster = cluster
    this.doors = doors
  }

  async strike(planned: PlannedFault, dice: Dice): Promise<Struck> {
    switch (planned.fault) {
      case 'pause':
        return this.#pause(await this.#find(planned.of, dice))
      case 'cut':
        if (planned.from !== 'everything') throw new Error('here, a cut is one from everything')
        return this.#cut(await this.#find(planned.of, dice))
      case 'slow':
      case 'disk':
        throw new Error('this cannot be done to containers')
      default:
        return this.#kill(await this.#find(planned.fault.slice('kill-'.length) as Victim, dice))
    }
  }

  async heal(): Promise<void> {
    for (const end of this.#lasting) await end()
  }

  async #kill({ name, pid, container, isWorker }: Found): Promise<Struck> {
    const struck = { who: name, dead: [pid], heal: async () => {} }
    try {
      // Past the engine, so that its own restart is what brings it back.
      process.kill(pid, 'SIGKILL')
    } catch {
      // Not permitted: the engine does it, and takes it for wished.
      await container.kill()
      if (!isWorker) await container.start()
    }
    return struck
  }

  async #pause({ name, container }: Found): Promise<Struck> {
    await container.pause()
    return this.#lasts(name, () => container.unpause())
  }

  async #cut({ name, container }: Found): Promise<Struck> {
    const network = this.#docker.getNetwork(`convoy-${this.#cluster}`)
    await network.disconnect({ Container: container.id, Force: true })
    return this.#lasts(name, () => network.connect({ Container: container.id }))
  }

  #lasts(who: string, end: () => Promise<unknown>): Struck {
    const heal = async () => {
      if (this.#lasting.delete(heal)) await end()
    }
    this.#lasting.add(heal)
    return { who, dead: [], heal }
  }

  async #find(victim: Victim, dice: Dice): Promise<Found> {
    if (victim === 'master' || victim === 'replica' || victim === 'worker') {
      return this.#worker(victim, dice)
    }
    const service = dice.pick(SERVICES[victim] ?? [victim]) ?? victim
    const labels = [projectOf(this.#cluster), `com.docker.compose.service=${service}`]
    const [found] = await this.#running(labels)
    if (found === undefined) throw new Error(`no container of ${service} runs`)
    return { ...found, name: service, isWorker: false }
  }

  async #worker(victim: Victim, dice: Dice): Promise<Found> {
    const { master, workers } = await systemNow(this.doors)
    const fitting = workers.filter(({ id, role }) => {
      if (victim === 'worker') return true
      return victim === 'master' ? id === master : role === 'replica'
    })
    const one = dice.pick(fitting.toSorted((a, b) => a.id.localeCompare(b.id)))
    const running = await this.#running([`convoy.cluster=${this.#cluster}`])
    const found = running.find(({ pid }) => pid === one?.pid)
    if (found === undefined) throw new Error(`no container of ${victim} runs`)
    return { ...found, name: `worker ${one?.id}`, isWorker: true }
  }

  async #running(label: string[]): Promise<{ pid: number; container: Container }[]> {
    const listed = await this.#docker.listContainers({ filters: { label } })
    return Promise.all(
      listed.map(async ({ Id }) => {
        const container = this.#docker.getContainer(Id)
        return { container, pid: (await container.inspect()).State.Pid }
      })
    )
  }
}

interface Found {
  readonly name: string
  /** As this machine knows it. */
  readonly pid: number
  readonly container: Container
  readonly isWorker: boolean
}
