/**
 * Settings of rides-api.
 */
import Type, { type Static } from 'typebox'
import { loadConfig } from '../platform/config.ts'
import { SERVICE } from '../platform/service/config.ts'

export const RIDES = {
  ...SERVICE,
  CONVOY_LB_URL: Type.String({
    pattern: '^https?://',
    description: 'Address of lb: the only way to users-api'
  }),
  CONVOY_TIME_ZONE: Type.String({
    pattern: '^[A-Za-z0-9_+/-]{1,64}$',
    default: 'UTC',
    description: 'IANA name of the zone that timestamps are written in'
  })
}

export type RidesConfig = Readonly<Static<ReturnType<typeof Type.Object<typeof RIDES>>>>

export const readConfig = (): RidesConfig => loadConfig(RIDES)
