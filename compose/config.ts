/**
 * What the scripts of the compose stack take from the environment.
 */
import Type from 'typebox'
import { COMMON, loadConfig } from '../platform/config.ts'

export const COMPOSE = {
  CONVOY_CLUSTER: COMMON.CONVOY_CLUSTER,
  DOCKER_HOST: Type.Optional(
    Type.String({ minLength: 1, description: 'As the docker command reads it' })
  )
}

export const loadComposeConfig = () => loadConfig(COMPOSE)
