import t from 'tap'
import { emptiest, parseHosts } from './hosts.ts'

t.test('engines are named by socket or by address', async t => {
  t.strictSame(parseHosts('unix:///run/a.sock, tcp://two.example:2380,tcp://three.example'), [
    { name: 'unix:///run/a.sock', socketPath: '/run/a.sock', address: null },
    {
      name: 'tcp://two.example:2380',
      socketPath: null,
      address: { host: 'two.example', port: 2380 }
    },
    {
      name: 'tcp://three.example',
      socketPath: null,
      address: { host: 'three.example', port: 2376 }
    }
  ])
})

t.test('what is neither, or named twice, is refused by name', async t => {
  for (const wrong of [
    '',
    'unix://',
    '/run/a.sock',
    'http://a:1',
    'unix:///a,unix:///a',
    'tcp://'
  ]) {
    t.throws(() => parseHosts(wrong), TypeError, wrong)
  }
})

t.test('a worker goes where the fewest are, and to the first of several', async t => {
  const [a, b, c] = [{ count: 2 }, { count: 1 }, { count: 1 }]
  t.equal(emptiest([a, b, c]), b)
  t.equal(emptiest([]), undefined)
})
