/**
 * What the scripts of the compose stack take from the environment.
 */
import Type from 'typebox'
import { COMMON, loadConfig } from '../platform/config.ts'

const COMPOSE = {
  CONVOY_CLUSTER: COMMON.CONVOY_CLUSTER,
  /** As the docker command reads it. */
  DOCKER_HOST: Type.Optional(Type.String({ minLength: 1 }))
}

export const loadComposeConfig = () => loadConfig(COMPOSE)
