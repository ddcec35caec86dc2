/**
 * The process that all bytes between Convoy's processes and their two servers pass
 * through: a test that is busy must not slow down the system that it looks at.
 */
import type { Order, Reply, Rule, Service } from './network.ts'
import type { Way } from './pipe.ts'
import { type Direction, TcpProxy } from './proxy.ts'

const proxies = new Map<Service, TcpProxy>()
const ports: Partial<Record<Service, number>> = {}
for (const [service, port] of Object.entries(JSON.parse(process.argv[2] ?? '{}'))) {
  const proxy = new TcpProxy(Number(port))
  proxies.set(service as Service, proxy)
  ports[service as Service] = await proxy.listen()
}

process.on('message', (order: Order) => {
  const reply: Reply = { id: order.id, sessions: carryOut(order) }
  process.send?.(reply)
})
process.on('disconnect', () => process.exit(0)) // The test has ended, however it did.
process.send?.(ports)

function carryOut(order: Order): Reply['sessions'] {
  for (const [service, proxy] of proxies) {
    const rules = order.rules.filter(rule => rule.service === service)
    proxy.setWays((party, direction) => wayBy(rules, { party, direction }))
    for (const party of order.reset) if (party.service === service) proxy.reset(party.party)
  }
  return proxies.get('zookeeper')?.sessions ?? []
}

function wayBy(rules: readonly Rule[], on: { party: string; direction: Direction }): Way {
  const applying = rules.filter(
    ({ party, direction }) =>
      party === on.party && (direction === 'both' || direction === on.direction)
  )
  return {
    cut: applying.some(({ delayMs }) => delayMs === 'cut'),
    delayMs: Math.max(0, ...applying.map(({ delayMs }) => (delayMs === 'cut' ? 0 : delayMs)))
  }
}
