import t from 'tap'
import { networkOf } from './network.ts'

t.test('an IPv4 address is its own network, in IPv6 too', async t => {
  t.equal(networkOf('10.0.0.1'), '10.0.0.1')
  t.equal(networkOf('::ffff:10.0.0.1'), '10.0.0.1')
  t.not(networkOf('::ffff:10.0.0.1'), networkOf('::ffff:10.0.0.2'))
})

t.test('an IPv6 address stands for its /64', async t => {
  t.equal(networkOf('2001:db8:1:2::1'), networkOf('2001:db8:1:2:3:4:5:6'))
  t.not(networkOf('2001:db8:1:2::1'), networkOf('2001:db8:1:3::1'))
  t.equal(networkOf('fd00::1'), networkOf('fd00:0:0:0:9::'), 'zeros left out')
  t.not(networkOf('fd00::1'), networkOf('fd00:0:0:1::1'))
  t.equal(networkOf('::1'), '::1')
})
