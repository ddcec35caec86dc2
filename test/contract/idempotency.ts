/** What docs/api.md says about a caller's Idempotency-Key. */
import { randomUUID } from 'node:crypto'
import type { Test } from 'tap'
import {
  type Answer,
  type Convoy,
  call,
  newName,
  newRide,
  newUser,
  PASSWORD
} from '../../testing/convoy.ts'

const statusOf = ({ status }: Answer) => status

export async function idempotencyContract(t: Test, convoy: Convoy): Promise<void> {
  const { lb } = convoy
  const keyed = (body?: unknown) => ({ body, headers: { 'idempotency-key': randomUUID() } })
  const twiceAtOnceAndAgain = async (act: () => Promise<Answer>) => [
    ...(await Promise.all([act(), act()])),
    await act()
  ]

  await t.test('a sign-up with the same key is the same sign-up', async t => {
    const username = newName()
    const extra = keyed({ username, password: PASSWORD })
    const answers = await twiceAtOnceAndAgain(() => call(`PUT ${lb}/api/v1/users`, extra))
    t.strictSame(answers.map(statusOf), [201, 201, 201])
    const other = { ...extra, body: { username: newName(), password: PASSWORD } }
    t.equal((await call(`PUT ${lb}/api/v1/users`, other)).status, 422)
  })

  await t.test('a deletion with the same key is the same deletion', async t => {
    const username = await newUser(convoy)
    const extra = keyed()
    const act = () => call(`DELETE ${lb}/api/v1/users/${username}`, extra)
    t.strictSame((await twiceAtOnceAndAgain(act)).map(statusOf), [200, 200, 200])
    t.equal((await call(`DELETE ${lb}/api/v1/users/${username}`)).status, 400)
  })

  await t.test('a ride offered with the same key is one ride', async t => {
    const created_by = await newUser(convoy)
    const ride = { created_by, timestamp: '01-02-2090:03-04-05', source: 160, destination: 161 }
    const extra = keyed(ride)
    const answers = await twiceAtOnceAndAgain(() => call(`POST ${lb}/api/v1/rides`, extra))
    t.strictSame(answers.map(statusOf), [201, 201, 201])
    t.equal(new Set(answers.map(({ headers }) => headers['location'])).size, 1)
    const other = { ...extra, body: { ...ride, source: 162 } }
    t.equal((await call(`POST ${lb}/api/v1/rides`, other)).status, 422)
    const mine = (await call(`GET ${lb}/api/v1/rides?source=160&destination=161`)).body
    t.equal((mine as { username: string }[]).filter(r => r.username === created_by).length, 1)
  })

  await t.test('joining and deleting with the same key happen once', async t => {
    const [created_by, username] = [await newUser(convoy), await newUser(convoy)]
    const rideId = await newRide(convoy, { created_by })
    const url = `${lb}/api/v1/rides/${rideId}`
    const join = keyed({ username })
    const joins = await twiceAtOnceAndAgain(() => call(`POST ${url}`, join))
    t.strictSame(joins.map(statusOf), [200, 200, 200])
    t.equal((await call(`POST ${url}`, { body: { username } })).status, 400)
    const remove = keyed()
    const removals = await twiceAtOnceAndAgain(() => call(`DELETE ${url}`, remove))
    t.strictSame(removals.map(statusOf), [200, 200, 200])
  })

  await t.test('a key that no request id can hold is refused', async t => {
    const headers = { 'idempotency-key': 'x'.repeat(201) }
    const body = { username: newName(), password: PASSWORD }
    t.equal((await call(`PUT ${lb}/api/v1/users`, { body, headers })).status, 400)
  })
}
