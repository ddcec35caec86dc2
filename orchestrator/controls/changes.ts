/**
 * What each change of the controls makes of those before it, and which changes are
 * refused. Pure.
 */

import type { Controls, InstanceNode, ServiceName } from '../../platform/controls/shapes.ts'
import { InvalidRequestError } from '../../wire/errors.ts'
import { HostRefusedError, LastInstanceError, UnknownOperationError } from '../errors.ts'

export type Change = (before: Controls) => Controls

type Instances = ReadonlyMap<string, InstanceNode>

/** @param level null: that of the environment again */
export const withLogLevel =
  (service: ServiceName, level: NonNullable<Controls['logLevels']['lb']> | null): Change =>
  before => ({ ...before, logLevels: merged(before.logLevels, { [service]: level }) })

export const withNumbers =
  (of: 'workers' | 'lanes', numbers: Readonly<Record<string, number | null>>): Change =>
  before => {
    if (Object.keys(numbers).length === 0) throw new InvalidRequestError('nothing is to be changed')
    return { ...before, [of]: merged(before[of], numbers) }
  }

/** @throws UnknownOperationError when no running instance offers it */
export const withDisabled =
  (operation: string, instances: Instances): Change =>
  before => {
    check(operation, before, instances)
    return { ...before, disabled: [...new Set([...before.disabled, operation])].sort() }
  }

export const withEnabled =
  (operation: string, instances: Instances): Change =>
  before => {
    check(operation, before, instances)
    return { ...before, disabled: before.disabled.filter(name => name !== operation) }
  }

/**
 * A worker may always be frozen: the master answers reads when no replica does. That it is
 * not the master itself is for the caller to see to.
 * @throws LastInstanceError when no other instance of its service would serve
 */
export const withFrozen =
  (id: string, { instances, force }: { instances: Instances; force: boolean }): Change =>
  before => {
    const service = instances.get(id)?.service
    if (service === undefined) return before // It has ended meanwhile.
    const others = [...instances].filter(
      ([other, node]) =>
        node.service === service && other !== id && !Object.hasOwn(before.frozen, other)
    )
    if (service !== 'worker' && others.length === 0 && !force) throw new LastInstanceError(service)
    return { ...before, frozen: { ...present(before, instances), [id]: service } }
  }

export const withStarted =
  (id: string, instances: Instances): Change =>
  before => {
    const { [id]: _started, ...frozen } = present(before, instances)
    return { ...before, frozen }
  }

/** @param known engines of the environment */
export const withHost =
  (host: Controls['hosts'][number], known: readonly string[]): Change =>
  before => {
    const same = before.hosts.find(({ name, url }) => name === host.name && url === host.url)
    if (same !== undefined) return before
    if (known.includes(host.url) || before.hosts.some(({ url }) => url === host.url)) {
      throw new HostRefusedError(`${host.url} is joined already`)
    }
    if (before.hosts.some(({ name }) => name === host.name)) {
      throw new HostRefusedError(`another engine is called "${host.name}"`)
    }
    return { ...before, hosts: [...before.hosts, host] }
  }

/** Who has the id, or the pid. Of several the first is not guessed. */
export function findInstance(text: string, instances: Instances): string | undefined {
  if (instances.has(text)) return text
  const found = [...instances].filter(([, { pid }]) => String(pid) === text)
  return found.length === 1 ? found[0]?.[0] : undefined
}

export interface Operation {
  readonly name: string
  readonly services: ServiceName[]
  readonly enabled: boolean
}

/** Those that running instances offer, and those that are disabled whoever offers them. */
export function operationsOf(instances: Instances, { disabled }: Controls): Operation[] {
  const services = new Map<string, Set<ServiceName>>(disabled.map(name => [name, new Set()]))
  for (const { service, operations } of instances.values()) {
    for (const name of operations) {
      services.set(name, (services.get(name) ?? new Set()).add(service))
    }
  }
  return [...services]
    .map(([name, of]) => ({ name, services: [...of].sort(), enabled: !disabled.includes(name) }))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}

function check(operation: string, before: Controls, instances: Instances): void {
  const known = operationsOf(instances, before).some(({ name }) => name === operation)
  if (!known) throw new UnknownOperationError(operation)
}

/**
 * A worker that is not there may come back, with its id and its data; whoever else has
 * gone has gone for good, for the next process has another id.
 */
function present({ frozen }: Controls, instances: Instances): Controls['frozen'] {
  const kept = Object.entries(frozen).filter(
    ([id, service]) => service === 'worker' || instances.has(id)
  )
  return Object.fromEntries(kept)
}

function merged<T extends object>(before: T, change: Readonly<Record<string, unknown>>): T {
  const entries = Object.entries({ ...before, ...change }).filter(([, value]) => value !== null)
  return Object.fromEntries(entries) as T
}
