/**
 * Settings of rides-api.
 */
import Type, { type Static } from 'typebox'
import { loadConfig } from '../platform/config.ts'
import { SERVICE } from '../platform/service/config.ts'

const SETTINGS = {
  ...SERVICE,
  /** Address of lb: the only way to users-api. */
  CONVOY_LB_URL: Type.String({ pattern: '^https?://' }),
  /** IANA name of the zone that timestamps are written in. */
  CONVOY_TIME_ZONE: Type.String({ pattern: '^[A-Za-z0-9_+/-]{1,64}$', default: 'UTC' })
}

export type RidesConfig = Readonly<Static<ReturnType<typeof Type.Object<typeof SETTINGS>>>>

export const readConfig = (): RidesConfig => loadConfig(SETTINGS)
