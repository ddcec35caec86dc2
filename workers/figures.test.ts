import t from 'tap'
import { readLoad } from './figures.ts'

t.test('CPU counts as far as reads can have used it', async t => {
  const connections = 4
  t.equal(readLoad({ cpuPercent: 90, readers: 2, connections }), 90, 'busy with reads')
  t.equal(readLoad({ cpuPercent: 90, readers: 0.1, connections }), 10, 'busy with the log')
  t.equal(readLoad({ cpuPercent: 5, readers: 3.8, connections }), 95, 'reads wait for connections')
  t.equal(readLoad({ cpuPercent: 5, readers: 0, connections }), 0)
})
