/**
 * Settings that users-api and rides-api share.
 */
import Type, { type Static } from 'typebox'
import { COMMON, HTTP } from '../config.ts'

export const SERVICE = {
  ...COMMON,
  ...HTTP,
  CONVOY_ORCHESTRATOR_URL: Type.Optional(
    Type.String({
      pattern: '^https?://',
      description:
        'Addresses of orchestrators, comma separated; those that ZooKeeper shows, when left out'
    })
  ),
  CONVOY_TOKEN: Type.Optional(
    Type.String({
      minLength: 1,
      description: 'Bearer token for the orchestrator, where it asks for one'
    })
  ),
  CONVOY_CLEAR_TOKEN_DIGESTS: Type.Optional(
    Type.String({
      pattern: '^[0-9a-f]{64}(,[0-9a-f]{64})*$',
      description:
        'SHA-256 digests, in hex, of the tokens that may call `db/clear`; where CONVOY_TOKEN is set and this is not, nobody may'
    })
  ),
  CONVOY_ALLOW_CLEAR: Type.Boolean({
    default: false,
    description: "Whether `POST /api/v1/db/clear` empties the service's tables, or answers 403"
  })
}

export type ServiceConfig = Readonly<Static<ReturnType<typeof Type.Object<typeof SERVICE>>>>
