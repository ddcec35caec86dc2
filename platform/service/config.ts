/**
 * Settings that users-api and rides-api share.
 */
import Type, { type Static } from 'typebox'
import { COMMON, HTTP } from '../config.ts'

export const SERVICE = {
  ...COMMON,
  ...HTTP,
  /** Addresses of orchestrators, comma separated; those that ZooKeeper shows, when left out. */
  CONVOY_ORCHESTRATOR_URL: Type.Optional(Type.String({ pattern: '^https?://' })),
  /** Bearer token for the orchestrator, where it asks for one. */
  CONVOY_TOKEN: Type.Optional(Type.String({ minLength: 1 })),
  /** Whether `POST /api/v1/db/clear` empties the service's tables, or answers 403. */
  CONVOY_ALLOW_CLEAR: Type.Boolean({ default: false })
}

export type ServiceConfig = Readonly<Static<ReturnType<typeof Type.Object<typeof SERVICE>>>>
