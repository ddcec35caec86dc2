/** The lines of docs/api.md about rides. */
import type { Test } from 'tap'
import {
  type Convoy,
  call,
  codeOf,
  newName,
  newRide,
  newUser,
  type RideFields
} from '../../testing/convoy.ts'

const FUTURE = '01-02-2090:03-04-05'

export async function ridesContract(t: Test, convoy: Convoy): Promise<void> {
  const rides = `${convoy.lb}/api/v1/rides`
  const offer = (body: unknown) => call(`POST ${rides}`, { body })
  const whole = (fields: RideFields) => ({
    timestamp: FUTURE,
    source: 1,
    destination: 2,
    ...fields
  })

  await t.test('a ride is offered and found where Location says', async t => {
    const created_by = await newUser(convoy)
    const answer = await offer(whole({ created_by, source: '17', destination: 198 }))
    t.equal(answer.status, 201)
    t.strictSame(answer.body, {})
    const location = String(answer.headers['location'])
    t.match(location, /^\/api\/v1\/rides\/[1-9]\d*$/)
    const found = await call(`GET ${convoy.lb}${location}`)
    t.equal(found.status, 200)
    t.strictSame(found.body, {
      rideId: Number(location.split('/').at(-1)),
      Created_by: created_by,
      users: [],
      Timestamp: FUTURE,
      source: 17,
      destination: 198
    })
  })

  await t.test('bad rides are refused, and nothing is made', async t => {
    const created_by = await newUser(convoy)
    const count = async () => (await call(`GET ${rides}/count`)).body
    const before = await count()
    const cases: [string, unknown][] = [
      ['CONVOY_USER_UNKNOWN', whole({ created_by: newName() })],
      ['CONVOY_USER_UNKNOWN', whole({ created_by: 'a'.repeat(5_000) })],
      ['CONVOY_AREA_INVALID', whole({ created_by, source: 0 })],
      ['CONVOY_AREA_INVALID', whole({ created_by, destination: 199 })],
      ['CONVOY_AREA_INVALID', whole({ created_by, source: 'x' })],
      ['CONVOY_INVALID_REQUEST', whole({ created_by, source: 1.5 })],
      ['CONVOY_SAME_AREA', whole({ created_by, source: 2 })],
      ['CONVOY_SAME_AREA', whole({ created_by, source: '2' })],
      ['CONVOY_TIMESTAMP_INVALID', whole({ created_by, timestamp: '30-02-2090:00-00-00' })],
      ['CONVOY_TIMESTAMP_INVALID', whole({ created_by, timestamp: '2090-02-01T05:04:03Z' })],
      ['CONVOY_TIMESTAMP_INVALID', whole({ created_by, timestamp: '01-02-2090:60-00-00' })],
      ['CONVOY_TIMESTAMP_INVALID', whole({ created_by, timestamp: '01-02-2090:00-00-24' })],
      ['CONVOY_INVALID_REQUEST', { timestamp: FUTURE, source: 1, destination: 2 }],
      ['CONVOY_INVALID_REQUEST', { created_by, source: 1, destination: 2 }],
      ['CONVOY_INVALID_REQUEST', { created_by, timestamp: FUTURE, destination: 2 }],
      ['CONVOY_INVALID_REQUEST', { created_by, timestamp: FUTURE, source: 1 }],
      ['CONVOY_INVALID_REQUEST', { ...whole({ created_by }), timestamp: 5 }]
    ]
    for (const [code, body] of cases) {
      const answer = await offer(body)
      t.equal(answer.status, 400, JSON.stringify(body).slice(0, 120))
      t.equal(codeOf(answer), code)
    }
    t.strictSame(await count(), before)
  })

  await t.test('rides to come are listed, soonest first; past ones only exist', async t => {
    const created_by = await newUser(convoy)
    const way = { created_by, source: 190, destination: 191 }
    const past = await newRide(convoy, { ...way, timestamp: '01-01-2020:00-00-00' })
    // Seconds come first: read as hours, the order would be another one.
    const later = await newRide(convoy, { ...way, timestamp: '01-01-2090:00-00-11' })
    const sooner = await newRide(convoy, { ...way, timestamp: '01-01-2090:59-00-10' })
    const answer = await call(`GET ${rides}?source=190&destination=191`)
    t.equal(answer.status, 200)
    const mine = (answer.body as { username: string }[]).filter(r => r.username === created_by)
    t.strictSame(mine, [
      { rideId: sooner, username: created_by, timestamp: '01-01-2090:59-00-10' },
      { rideId: later, username: created_by, timestamp: '01-01-2090:00-00-11' }
    ])
    t.equal((await call(`GET ${rides}/${past}`)).status, 200)
    const none = await call(`GET ${rides}?source=197&destination=196`)
    t.equal(none.status, 204)
    t.equal(none.body, undefined)
  })

  await t.test('a list needs two areas', async t => {
    const queries = ['', '?source=1', '?destination=1', '?source=0&destination=1']
    for (const query of [...queries, '?source=1&destination=199', '?source=a&destination=1']) {
      t.equal((await call(`GET ${rides}${query}`)).status, 400, query)
    }
  })

  await t.test('an unknown ride is no content to read, and an error to change', async t => {
    const username = await newUser(convoy)
    for (const rideId of ['999999999', '0', 'abc', '99999999999999999999', '-1']) {
      t.equal((await call(`GET ${rides}/${rideId}`)).status, 204, rideId)
      const joined = await call(`POST ${rides}/${rideId}`, { body: { username } })
      t.equal(joined.status, 400, rideId)
      t.equal(codeOf(joined), 'CONVOY_RIDE_UNKNOWN')
      const deleted = await call(`DELETE ${rides}/${rideId}`)
      t.equal(deleted.status, 400, rideId)
      t.equal(codeOf(deleted), 'CONVOY_RIDE_UNKNOWN')
    }
  })

  await t.test('users join a ride once, and its creator not at all', async t => {
    const created_by = await newUser(convoy)
    const [first, second] = [await newUser(convoy), await newUser(convoy)]
    const rideId = await newRide(convoy, { created_by })
    const join = (username: unknown) => call(`POST ${rides}/${rideId}`, { body: { username } })
    const answer = await join(second)
    t.equal(answer.status, 200)
    t.strictSame(answer.body, {})
    t.equal((await join(first)).status, 200)
    t.equal(codeOf(await join(first)), 'CONVOY_JOINED_ALREADY')
    t.equal(codeOf(await join(created_by)), 'CONVOY_OWN_RIDE')
    t.equal(codeOf(await join(newName())), 'CONVOY_USER_UNKNOWN')
    t.equal(codeOf(await join(5)), 'CONVOY_INVALID_REQUEST')
    const { body } = await call(`GET ${rides}/${rideId}`)
    t.strictSame((body as { users: string[] }).users, [second, first], 'in the order of joining')
  })

  await t.test('a ride is deleted once, and is counted while it exists', async t => {
    const created_by = await newUser(convoy)
    const count = async () => ((await call(`GET ${rides}/count`)).body as number[])[0] as number
    const before = await count()
    const rideId = await newRide(convoy, { created_by, timestamp: '01-01-2020:00-00-00' })
    t.equal(await count(), before + 1)
    const answer = await call(`DELETE ${rides}/${rideId}`)
    t.equal(answer.status, 200)
    t.strictSame(answer.body, {})
    t.equal(await count(), before)
    t.equal((await call(`GET ${rides}/${rideId}`)).status, 204)
    t.equal((await call(`DELETE ${rides}/${rideId}`)).status, 400)
  })
}
