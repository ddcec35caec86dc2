import t from 'tap'
import { Cluster } from './cluster.ts'

const DAYS = 40

t.test('no acknowledged write is lost or doubled on days drawn at random', async t => {
  const first = Math.floor(Math.random() * 1e9)
  for (let seed = first; seed < first + DAYS; seed++) {
    const cluster = new Cluster(seed, 3 + (seed % 3))
    try {
      cluster.run()
    } catch (error) {
      t.fail(`seed ${seed}: ${error}; see npm run simulate -- --seed ${seed}`)
    }
  }
  t.pass(`${DAYS} days from seed ${first}`)
})
