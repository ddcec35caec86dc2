/**
 * Opens the Docker runtime on the engines that the settings name. The one place that
 * loads dockerode: it takes some 35 MB, and the process runtime has no use for it.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import Docker, { type DockerOptions } from 'dockerode'
import type { Logger } from '../../../platform/log.ts'
import { DockerRuntime } from '../docker.ts'
import type { DockerSettings } from './containers.ts'
import { Engine } from './engine.ts'
import { type EngineHost, parseHosts } from './hosts.ts'

/** Longer than any call may take, that of stopping a worker included. */
const CALL_TIMEOUT_MS = 20_000

export interface ConnectOptions {
  /** As CONVOY_DOCKER_HOSTS. */
  readonly hosts: string
  readonly certs: string | undefined
  readonly settings: DockerSettings
  readonly lostMs: number
  readonly log: Logger
}

/** Dials nobody yet. @throws Error when hosts or certificates cannot be read */
export function connectDocker({ hosts, certs, settings, lostMs, log }: ConnectOptions) {
  return new DockerRuntime({
    hosts: parseHosts(hosts),
    log,
    lostMs,
    open(host, onDeath) {
      const to = addressOf(host, certs)
      return new Engine({
        name: host.name,
        address: host.address?.host ?? null,
        docker: new Docker({ ...to, timeout: CALL_TIMEOUT_MS }),
        events: new Docker(to),
        settings,
        log,
        onDeath
      })
    }
  })
}

function addressOf({ name, socketPath, address }: EngineHost, certs: string | undefined) {
  if (socketPath !== null) return { socketPath } satisfies DockerOptions
  if (address === null || certs === undefined) {
    throw new Error(`${name} needs CONVOY_DOCKER_CERTS: who reaches an engine rules its machine`)
  }
  const pem = (file: string) => readFileSync(join(certs, file))
  const tls = { ca: pem('ca.pem'), cert: pem('cert.pem'), key: pem('key.pem') }
  return { protocol: 'https', ...address, ...tls } satisfies DockerOptions
}
