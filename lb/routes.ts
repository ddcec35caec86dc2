/**
 * Which service answers which path. Everything else is 404 here: `_count` and
 * `db/clear` are called on each instance's own port.
 */
export const ROUTES = [
  { prefix: '/api/v1/users', service: 'users-api' },
  { prefix: '/api/v1/rides', service: 'rides-api' }
] as const

export type ServiceName = (typeof ROUTES)[number]['service']
