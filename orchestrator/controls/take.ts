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
  readonly runtime: Pick<Runtime, 'engines'>
  readonly registered: Pick<Registered, 'freeze'>
  readonly log: Logger
}

export function takeControls(
  controls: ControlListener,
  { lanes, dispatch, runtime, registered, log }: Controlled
): void {
  controls.on(({ lanes: { batch, inFlight }, hosts }, frozen) => {
    dispatch.resizeLanes({
      ...lanes,
      batchMax: batch ?? lanes.batchMax,
      inFlightMax: inFlight ?? lanes.inFlightMax
    })
    registered.freeze(frozen)
    for (const { name, url } of hosts) {
      try {
        runtime.engines?.join(url)
      } catch (err) {
        log.error({ err, name }, 'engine cannot be joined from here')
      }
    }
  })
}
