/**
 * Where an operator's changes of running instances are made: stored in `/config`, told to
 * everybody, and the answer says who has taken them.
 */
import type { Broadcast, Told } from '../../platform/controls/broadcast.ts'
import { type Controls, controlsOf, NO_CONTROLS } from '../../platform/controls/shapes.ts'
import type { Logger } from '../../platform/log.ts'
import type { ZooKeeper } from '../../platform/zookeeper.ts'
import { type ClusterView, masterOf } from '../cluster-view.ts'
import { NoSuchInstanceError } from '../errors.ts'
import { changeConfig } from '../stored-config.ts'
import {
  type Change,
  findInstance,
  type Operation,
  operationsOf,
  withDisabled,
  withEnabled,
  withFrozen,
  withStarted
} from './changes.ts'

export interface Changed extends Told {
  readonly version: number
  readonly controls: Controls
}

export interface ControlRoomOptions {
  readonly zookeeper: ZooKeeper
  readonly view: Pick<ClusterView, 'now'>
  readonly broadcast: Pick<Broadcast, 'tell'>
  readonly handOver: () => Promise<unknown>
  readonly log: Logger
}

export class ControlRoom {
  readonly #options: ControlRoomOptions

  constructor(options: ControlRoomOptions) {
    this.#options = options
  }

  get controls(): Controls {
    return controlsOf(this.#options.view.now.config ?? {}) ?? NO_CONTROLS
  }

  get operations(): Operation[] {
    return operationsOf(this.#options.view.now.instances, this.controls)
  }

  /** @throws SettingsNotStoredError, and whatever `change` refuses: then nothing is changed */
  async change(change: Change): Promise<Changed> {
    const { zookeeper, broadcast, log } = this.#options
    const { config, version } = await changeConfig(zookeeper, before => ({
      ...before,
      // What makes no sense must not outlive the operator who sets it right.
      controls: change(controlsOf(before) ?? NO_CONTROLS)
    }))
    const controls = controlsOf(config) ?? NO_CONTROLS
    const told = await broadcast.tell(version)
    log.info({ version, controls, missing: told.missing }, 'controls are stored and told')
    return { version, controls, ...told }
  }

  disable(operation: string): Promise<Changed> {
    return this.change(withDisabled(operation, this.#options.view.now.instances))
  }

  enable(operation: string): Promise<Changed> {
    return this.change(withEnabled(operation, this.#options.view.now.instances))
  }

  /**
   * A master hands over first: frozen, it would still have to lead.
   * @throws NoSuchInstanceError, LastInstanceError, NoSuccessorError, TimeoutError: nothing is frozen
   */
  async freeze(instance: string, { force }: { force: boolean }): Promise<Changed> {
    const { view, handOver } = this.#options
    const id = this.#find(instance)
    if (masterOf(view.now) === id) await handOver()
    return this.change(withFrozen(id, { instances: view.now.instances, force }))
  }

  async start(instance: string): Promise<Changed> {
    const { instances } = this.#options.view.now
    // A frozen worker that does not run may be started too: it will be when it is back.
    const id = Object.hasOwn(this.controls.frozen, instance) ? instance : this.#find(instance)
    return this.change(withStarted(id, instances))
  }

  #find(instance: string): string {
    const id = findInstance(instance, this.#options.view.now.instances)
    if (id === undefined) throw new NoSuchInstanceError(instance)
    return id
  }
}
