import t from 'tap'
import { Dice } from '../../../testing/random.ts'
import { Rides, rideBody, ridesShown } from './rides.ts'

t.test('a ride tells its element again, and rides of others tell nothing', async t => {
  const rides = new Rides('ada')
  const way = rides.pick(new Dice(1))
  const elements = [1, 59, 60, 86_399, 86_400, 3_000_000]
  const listed = elements.map(element => {
    const { created_by: username, timestamp } = rideBody(way, { element, createdBy: 'ada' })
    return { rideId: element, username, timestamp }
  })
  const others = { rideId: 9, username: 'grace', timestamp: '01-01-2090:00-00-00' }
  t.strictSame(ridesShown([...listed, others], 'ada'), elements)
  t.strictSame(ridesShown({}, 'ada'), [])
})

t.test('no way is taken twice, and none goes to where it begins', async t => {
  const rides = new Rides('ada')
  const dice = new Dice(1)
  for (let i = 0; i < 100_000; i++) rides.pick(dice)
  const { all } = rides
  t.ok(all.length > 800)
  t.equal(
    new Set(all.map(({ source, destination }) => `${source} ${destination}`)).size,
    all.length
  )
  t.strictSame(
    all.filter(({ source, destination }) => source === destination || destination > 198),
    []
  )
})
