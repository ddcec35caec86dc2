/**
 * The runtime that the settings ask for.
 */
import type { Logger } from '../../platform/log.ts'
import { type OrchestratorConfig, workerEnvironment } from '../config.ts'
import { ProcessRuntime } from './process.ts'
import type { Runtime } from './runtime.ts'
import { dockerSettings } from './settings.ts'

export async function openRuntime(config: OrchestratorConfig, log: Logger): Promise<Runtime> {
  const environment = workerEnvironment()
  if (config.CONVOY_RUNTIME === 'process') {
    return new ProcessRuntime({ dir: config.CONVOY_WORKERS_DIR ?? '', environment, log })
  }
  const { connectDocker } = await import('./docker/connect.ts')
  return connectDocker({
    hosts: config.CONVOY_DOCKER_HOSTS,
    certs: config.CONVOY_DOCKER_CERTS,
    settings: dockerSettings(config, environment),
    lostMs: config.CONVOY_DOCKER_LOST_MS,
    log
  })
}
