/**
 * Every line of docs/api.md about the ride pooling, against a whole system. The parts share
 * one, for a start takes seconds; each uses names of its own, and the last one clears it.
 */
import t from 'tap'
import type { Convoy } from '../../testing/convoy.ts'
import { startConvoy } from '../../testing/environment.ts'
import { deletionContract, deletionFaults } from './deletion.ts'
import { idempotencyContract } from './idempotency.ts'
import { ridesContract } from './rides.ts'
import { serviceContract } from './service.ts'
import { usersContract } from './users.ts'

// Sign-ups are slow on purpose; what is tested here is not how slow.
const system = await startConvoy({ settings: { CONVOY_SCRYPT_COST_LOG2: '8' } })
t.teardown(() => system[Symbol.asyncDispose]())

const { addresses } = system.run
const convoy: Convoy = {
  lb: addresses.lb,
  usersApi: [addresses['users-api']],
  ridesApi: [addresses['rides-api']]
}

await t.test('users', t => usersContract(t, convoy))
await t.test('rides', t => ridesContract(t, convoy))
await t.test('deletion of users', t => deletionContract(t, convoy))
await t.test('deletion of users while services die', t =>
  deletionFaults(t, convoy, name => system.kill(name, 'SIGKILL'))
)
await t.test('Idempotency-Key', t => idempotencyContract(t, convoy))
await t.test('each service', t => serviceContract(t, convoy))
