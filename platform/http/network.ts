/**
 * Which network an address belongs to, for limits and shares per client. Pure.
 */
import { isIPv6 } from 'node:net'

const IPV4_IN_IPV6 = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i

/** An IPv6 client has a whole /64 to send from: the first four of eight groups. */
export function networkOf(address: string): string {
  const [, ipv4] = IPV4_IN_IPV6.exec(address) ?? []
  if (ipv4 !== undefined) return ipv4
  if (!isIPv6(address) || address.startsWith('::')) return address // loopback, for one
  const [head = '', tail] = address.split('::')
  const groups = head.split(':')
  const left = tail === undefined ? 0 : 8 - groups.length - tail.split(':').length
  const zeros = Array.from({ length: Math.max(0, left) }, () => '0')
  return [...groups, ...zeros, ...(tail ?? '').split(':')].slice(0, 4).join(':')
}
