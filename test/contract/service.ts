/** What each service answers on its own port: counts, clearing, health, docs, wrong paths. */
import type { Test } from 'tap'
import {
  type Convoy,
  call,
  codeOf,
  type Method,
  newName,
  newRide,
  newUser
} from '../../testing/convoy.ts'

export async function serviceContract(t: Test, convoy: Convoy): Promise<void> {
  const { lb, usersApi, ridesApi, token } = convoy
  const users = usersApi[0] as string
  const rides = ridesApi[0] as string
  const countOf = async (service: string) =>
    ((await call(`GET ${service}/api/v1/_count`)).body as number[])[0]

  await t.test('calls are counted, failed ones too, and the count can be reset', async t => {
    t.strictSame((await call(`DELETE ${users}/api/v1/_count`)).body, {})
    t.strictSame((await call(`GET ${users}/api/v1/_count`)).body, [0])
    await call(`GET ${users}/api/v1/users?username=${newName()}`)
    await call(`PUT ${users}/api/v1/users`, { body: {} })
    await call(`POST ${users}/api/v1/users`)
    t.equal(await countOf(users), 3)
    for (const path of ['livez', 'readyz', 'metrics', 'docs/', 'docs/json', 'api/v1/_count']) {
      const { statusCode } = await fetchStatus(`${users}/${path}`)
      t.equal(statusCode, 200, path)
    }
    t.equal(await countOf(users), 3)
    await call(`DELETE ${users}/api/v1/_count`)
    t.equal(await countOf(users), 0)
  })

  await t.test('a ride asks users-api once, listing and reading rides never', async t => {
    const created_by = await newUser(convoy)
    const joining = await newUser(convoy)
    for (const instance of usersApi) await call(`DELETE ${instance}/api/v1/_count`)
    const asked = async () => {
      const counts = await Promise.all(usersApi.map(countOf))
      return counts.reduce<number>((sum, count) => sum + (count ?? 0), 0)
    }
    const rideId = await newRide(convoy, { created_by })
    t.equal(await asked(), 1)
    const body = { username: joining }
    await call(`POST ${lb}/api/v1/rides/${rideId}`, { body })
    t.equal(await asked(), 2)
    await call(`GET ${lb}/api/v1/rides/${rideId}`)
    await call(`GET ${lb}/api/v1/rides?source=1&destination=2`)
    await call(`GET ${lb}/api/v1/rides/count`)
    await call(`DELETE ${lb}/api/v1/rides/${rideId}`)
    t.equal(await asked(), 2)
  })

  await t.test('a known path with a wrong method is 405, an unknown path 404', async t => {
    const wrong: [Method, string, string][] = [
      ['POST', `${lb}/api/v1/users`, 'GET, HEAD, PUT'],
      ['GET', `${lb}/api/v1/users/${newName()}`, 'DELETE'],
      ['PUT', `${lb}/api/v1/rides`, 'GET, HEAD, POST'],
      ['POST', `${lb}/api/v1/rides/count`, 'GET, HEAD'],
      ['DELETE', `${lb}/api/v1/rides/count`, 'GET, HEAD'],
      ['PUT', `${lb}/api/v1/rides/1`, 'DELETE, GET, HEAD, POST'],
      ['PUT', `${rides}/api/v1/_count`, 'DELETE, GET, HEAD'],
      ['GET', `${rides}/api/v1/db/clear`, 'POST']
    ]
    for (const [method, url, allow] of wrong) {
      const answer = await call(`${method} ${url}`)
      t.equal(answer.status, 405, `${method} ${url}`)
      t.equal(answer.headers['allow'], allow)
      t.equal(codeOf(answer), 'CONVOY_METHOD_NOT_ALLOWED')
    }
    for (const url of [`${lb}/api/v1/nothing`, `${users}/api/v1/nothing`, `${rides}/nothing`]) {
      const answer = await call(`GET ${url}`)
      t.equal(answer.status, 404, url)
      t.equal(codeOf(answer), 'CONVOY_NOT_FOUND')
    }
  })

  await t.test('a body over 1 MiB is refused', async t => {
    const text = JSON.stringify({ username: 'a'.repeat(1_100_000), password: '' })
    const answer = await call(`PUT ${lb}/api/v1/users`, { text })
    t.equal(answer.status, 413)
    t.equal(codeOf(answer), 'CONVOY_BODY_TOO_LARGE')
  })

  await t.test(
    'clearing empties the tables, also empty ones, and ride ids start again',
    async t => {
      const created_by = await newUser(convoy)
      await newRide(convoy, { created_by })
      for (const service of [rides, users, rides, users]) {
        const headers = {
          'content-type': 'application/json',
          ...(token && { authorization: `Bearer ${token}` })
        }
        const answer = await call(`POST ${service}/api/v1/db/clear`, { headers })
        t.equal(answer.status, 200)
        t.strictSame(answer.body, {})
      }
      const none = await call(`GET ${lb}/api/v1/users`)
      t.equal(none.status, 204)
      t.equal(none.body, undefined)
      t.strictSame((await call(`GET ${lb}/api/v1/rides/count`)).body, [0])
      t.equal(await newRide(convoy, { created_by: await newUser(convoy) }), 1)
    }
  )
}

/** For pages that are no JSON. */
async function fetchStatus(url: string) {
  const response = await fetch(url)
  await response.body?.cancel()
  return { statusCode: response.status }
}
