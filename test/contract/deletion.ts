/** What docs/api.md says about the deletion of a user who has rides. */
import type { Test } from 'tap'
import { type Convoy, call, newRide, newUser, PASSWORD } from '../../testing/convoy.ts'
import { until } from '../../testing/wait.ts'

export async function deletionContract(t: Test, convoy: Convoy): Promise<void> {
  const { lb } = convoy
  const rideOf = async (rideId: number) => (await call(`GET ${lb}/api/v1/rides/${rideId}`)).body

  await t.test('rides and memberships go with their user', async t => {
    const [leaving, staying] = [await newUser(convoy), await newUser(convoy)]
    const own = await newRide(convoy, { created_by: leaving })
    const other = await newRide(convoy, { created_by: staying })
    const body = { username: leaving }
    t.equal((await call(`POST ${lb}/api/v1/rides/${other}`, { body })).status, 200)
    const startedAt = performance.now()
    t.equal((await call(`DELETE ${lb}/api/v1/users/${leaving}`)).status, 200)
    t.ok(performance.now() - startedAt < 1_900, 'answered when rides-api was done')
    t.equal(await rideOf(own), undefined)
    t.strictSame(((await rideOf(other)) as { users: string[] }).users, [])
  })

  await t.test('a new user of the same name starts without rides, and keeps new ones', async t => {
    const username = await newUser(convoy)
    const old = await newRide(convoy, { created_by: username })
    t.equal((await call(`DELETE ${lb}/api/v1/users/${username}`)).status, 200)
    const signUp = { body: { username, password: PASSWORD } }
    t.equal((await call(`PUT ${lb}/api/v1/users`, signUp)).status, 201)
    const fresh = await newRide(convoy, { created_by: username })
    t.equal(await rideOf(old), undefined)
    t.ok(await rideOf(fresh))
  })

  await t.test('no ride of a deleted user is left when many are offered meanwhile', async t => {
    const username = await newUser(convoy)
    const way = { source: 150, destination: 151 }
    const body = { created_by: username, timestamp: '01-02-2090:03-04-05', ...way }
    const offers = Array.from({ length: 40 }, () => call(`POST ${lb}/api/v1/rides`, { body }))
    const deleted = call(`DELETE ${lb}/api/v1/users/${username}`)
    const answers = await Promise.all(offers)
    t.equal((await deleted).status, 200)
    t.ok(answers.every(({ status }) => status === 201 || status === 400))
    const path = `source=${way.source}&destination=${way.destination}`
    const left = (await call(`GET ${lb}/api/v1/rides?${path}`)).body as { username: string }[]
    t.notOk((left ?? []).some(ride => ride.username === username))
  })
}

/** @param kill as an accident would; the process is started again */
export async function deletionFaults(
  t: Test,
  convoy: Convoy,
  kill: (name: 'users-api' | 'rides-api') => void
): Promise<void> {
  const { lb } = convoy
  const untilGone = (rideId: number) =>
    until('the ride to be gone', { withinMs: 20_000 }, async () => {
      const { status } = await call(`GET ${lb}/api/v1/rides/${rideId}`)
      return status === 204 ? true : undefined
    })

  await t.test(
    'a deletion while rides-api is dead is answered, and done when it is back',
    async t => {
      const username = await newUser(convoy)
      const rideId = await newRide(convoy, { created_by: username })
      kill('rides-api')
      t.equal((await call(`DELETE ${lb}/api/v1/users/${username}`)).status, 200)
      t.ok(await untilGone(rideId))
    }
  )

  await t.test('a deletion during which users-api dies is answered, and done', async t => {
    const username = await newUser(convoy)
    const rideId = await newRide(convoy, { created_by: username })
    const deleted = call(`DELETE ${lb}/api/v1/users/${username}`)
    kill('users-api')
    t.equal((await deleted).status, 200)
    t.ok(await untilGone(rideId))
  })
}
