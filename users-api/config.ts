/**
 * Settings of users-api.
 */
import Type, { type Static } from 'typebox'
import { loadConfig } from '../platform/config.ts'
import { SERVICE } from '../platform/service/config.ts'

const SETTINGS = {
  ...SERVICE,
  /** scrypt's cost is 2 to this power: 14 takes about 40 ms and 16 MiB. Lower only to fill test systems. */
  CONVOY_SCRYPT_COST_LOG2: Type.Integer({ minimum: 4, maximum: 20, default: 14 }),
  /** Passwords that may wait to be hashed; beyond it sign-ups get 503. */
  CONVOY_SCRYPT_QUEUE_MAX: Type.Integer({ minimum: 1, maximum: 100_000, default: 100 })
}

export type UsersConfig = Readonly<Static<ReturnType<typeof Type.Object<typeof SETTINGS>>>>

export const readConfig = (): UsersConfig => loadConfig(SETTINGS)
