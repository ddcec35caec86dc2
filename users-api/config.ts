/**
 * Settings of users-api.
 */
import Type, { type Static } from 'typebox'
import { loadConfig } from '../platform/config.ts'
import { SERVICE } from '../platform/service/config.ts'

export const USERS = {
  ...SERVICE,
  CONVOY_SCRYPT_COST_LOG2: Type.Integer({
    minimum: 4,
    maximum: 20,
    default: 14,
    description:
      "scrypt's cost is 2 to this power: 14 takes about 40 ms and 16 MiB. Lower only to fill test systems"
  }),
  CONVOY_SCRYPT_QUEUE_MAX: Type.Integer({
    minimum: 1,
    maximum: 100_000,
    default: 100,
    description: 'Passwords that may wait to be hashed; beyond it sign-ups get 503'
  })
}

export type UsersConfig = Readonly<Static<ReturnType<typeof Type.Object<typeof USERS>>>>

export const readConfig = (): UsersConfig => loadConfig(USERS)
