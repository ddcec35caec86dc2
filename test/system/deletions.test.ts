/**
 * The event of a deleted user is not lost when RabbitMQ starts again without its data,
 * as it does with each `npm start`.
 */
import t from 'tap'
import { startCluster } from '../../testing/cluster/cluster.ts'
import { read } from '../../testing/cluster/database.ts'
import { call, newRide, newUser } from '../../testing/convoy.ts'
import { until } from '../../testing/wait.ts'

const cluster = await startCluster(t)
const convoy = () => ({ lb: cluster.lbUrl, usersApi: [], ridesApi: [] })

await t.test('a deletion that RabbitMQ took and lost is done after the next start', async t => {
  const username = await newUser(convoy())
  const rideId = await newRide(convoy(), { created_by: username })
  await cluster.pause('rides-api')
  t.equal((await call(`DELETE ${cluster.lbUrl}/api/v1/users/${username}`)).status, 200)
  const { rows } = await read(cluster, 'select username from outbox')
  t.strictSame(rows, [{ username }], 'the event stays until rides-api has processed it')
  await cluster.stop()
  await cluster.start()
  await cluster.healed()
  await until('the ride to be gone', { withinMs: 30_000 }, async () => {
    const { status } = await call(`GET ${cluster.lbUrl}/api/v1/rides/${rideId}`)
    return status === 204 ? true : undefined
  })
  await until('the outbox to be empty', { withinMs: 30_000 }, async () => {
    const left = await read(cluster, 'select username from outbox')
    return left.rows.length === 0 ? true : undefined
  })
})
