/**
 * What the controls change in a running orchestrator.
 */
import type { ControlListener } from '../../platform/controls/listener.ts'
import type { Logger } from '../../platform/log.ts'
import type { Registered } from '../../platform/registration.ts'
import type { Dispatch } from '../lanes/dispatch.ts'
import type { LaneLimits } from '../lanes/lane.ts'
import type { Runtime } from '../runtimes/runtime.ts'

export interface Controlled {
  /** Of the environment. */
  readonly lanes: LaneLimits
  readonly dispatch: Pick<Dispatch, 'resizeLanes'>
  readonly registered: Pick<Registered, 'freeze'>
}

export function takeControls(
  controls: ControlListener,
  { lanes, dispatch, registered }: Controlled
): void {
  controls.on(({ lanes: { batch, inFlight } }, frozen) => {
    dispatch.resizeLanes({
      ...lanes,
      batchMax: batch ?? lanes.batchMax,
      inFlightMax: inFlight ?? lanes.inFlightMax
    })
    registered.freeze(frozen)
  })
}

/** Before anybody asks the runtime what runs: on an engine that it did not know, it would miss workers. */
export function joinEngines(
  controls: ControlListener,
  { runtime, log }: { readonly runtime: Pick<Runtime, 'engines'>; readonly log: Logger }
): void {
  controls.on(({ hosts }) => {
    for (const { name, url } of hosts) {
      try {
        runtime.engines?.join(url)
      } catch (err) {
        log.error({ err, name }, 'engine cannot be joined from here')
      }
    }
  })
}
