/**
 * Settings of the runtimes: where workers run, and what a container of theirs may use.
 */
import Type from 'typebox'
import type { DockerSettings } from './docker/containers.ts'

export const RUNTIME = {
  CONVOY_RUNTIME: Type.Union([Type.Literal('process'), Type.Literal('docker')], {
    default: 'process',
    description: 'Whether workers are processes of this machine, or containers'
  }),
  CONVOY_WORKERS_DIR: Type.Optional(
    Type.String({ minLength: 1, description: 'Processes: each worker has a folder in it' })
  ),
  CONVOY_DOCKER_HOSTS: Type.String({
    default: 'unix:///var/run/docker.sock',
    description:
      'Engines, comma separated: `unix:///path/of/docker.sock`, or `tcp://host:2376` with TLS'
  }),
  CONVOY_DOCKER_CERTS: Type.Optional(
    Type.String({
      minLength: 1,
      description: 'Folder of ca.pem, cert.pem and key.pem, for engines that are reached over TCP'
    })
  ),
  CONVOY_DOCKER_IMAGE: Type.String({
    minLength: 1,
    default: 'convoy-worker',
    description: "Image of the workers' containers"
  }),
  CONVOY_DOCKER_NETWORK: Type.String({
    minLength: 1,
    default: 'convoy',
    description: 'One that exists on each engine, or `host`'
  }),
  CONVOY_DOCKER_MEMORY_MIB: Type.Integer({
    minimum: 64,
    default: 1_024,
    description: "Memory that a worker's container may use"
  }),
  CONVOY_DOCKER_CPUS: Type.Number({
    minimum: 0.1,
    maximum: 512,
    default: 2,
    description: "Processors that a worker's container may use"
  }),
  CONVOY_DOCKER_LOST_MS: Type.Integer({
    minimum: 0,
    default: 15_000,
    description: 'How long an engine may be away before its workers count as dead'
  })
}

/** Of no interest to a worker. */
export const OF_RUNTIMES = /^CONVOY_(RUNTIME|WORKERS_DIR|DOCKER_.*)$/

export interface RuntimeConfig {
  readonly CONVOY_CLUSTER: string
  readonly CONVOY_DOCKER_IMAGE: string
  readonly CONVOY_DOCKER_NETWORK: string
  readonly CONVOY_DOCKER_MEMORY_MIB: number
  readonly CONVOY_DOCKER_CPUS: number
}

/** @param environment what a worker is told; paths of this machine mean nothing in a container */
export function dockerSettings(
  config: RuntimeConfig,
  environment: Readonly<Record<string, string>>
): DockerSettings {
  const told = Object.entries(environment).filter(([name]) => /^(CONVOY_|TZ$)/.test(name))
  return {
    cluster: config.CONVOY_CLUSTER,
    image: config.CONVOY_DOCKER_IMAGE,
    network: config.CONVOY_DOCKER_NETWORK,
    memoryMiB: config.CONVOY_DOCKER_MEMORY_MIB,
    cpus: config.CONVOY_DOCKER_CPUS,
    environment: Object.fromEntries(told)
  }
}
