/**
 * lb's HTTP server: the gateway, its page, and readiness, which is an instance of
 * each service.
 */
import { Gauge, type Registry } from 'prom-client'
import type { Gate } from '../platform/controls/gate.ts'
import type { Http } from '../platform/http/instance.ts'
import { openHttp } from '../platform/http.ts'
import type { Logger } from '../platform/log.ts'
import type { Certificate } from '../platform/security/tls.ts'
import type { Tracing } from '../platform/tracing/otlp.ts'
import type { ZooKeeper } from '../platform/zookeeper.ts'
import type { LbConfig } from './config.ts'
import { gateway } from './gateway.ts'
import { Instances } from './instances.ts'
import { addPage } from './page.ts'

/** For a whole request, its body included: a client that sends slowly holds a connection no longer. */
const REQUEST_WITHIN_MS = 30_000
/** As far as a body is kept to be sent again; the services take no more either. */
const BODY_MAX_BYTES = 1024 * 1024

export interface LbOptions {
  readonly config: Pick<
    LbConfig,
    'CONVOY_LB_ATTEMPT_MS' | 'CONVOY_LB_DEADLINE_MS' | 'CONVOY_LB_UNDER_WAY_MAX'
  > &
    Partial<Pick<LbConfig, 'CONVOY_LB_RATE_PER_S' | 'CONVOY_LB_NAMES'>>
  readonly zooKeeper: Pick<ZooKeeper, 'watchChildren'>
  readonly log: Logger
  readonly metrics: Registry
  readonly gate?: Gate
  readonly certificate?: Certificate | undefined
  readonly tracing?: Tracing
}

const namesIn = (list = ''): ReadonlySet<string> =>
  new Set(
    list
      .toLowerCase()
      .split(',')
      .map(name => name.trim())
  )

/** A server with all its routes; the caller listens. Closing it lets go of the instances. */
export async function openLb(options: LbOptions): Promise<Http> {
  const { config, zooKeeper, log, metrics, gate, tracing, certificate } = options
  const services = {
    'users-api': new Instances({ zooKeeper, service: 'users-api', log }),
    'rides-api': new Instances({ zooKeeper, service: 'rides-api', log })
  }
  const all = Object.values(services)
  const missing = () =>
    all.filter(({ origins }) => origins.length === 0).map(({ service }) => service)
  const app = await openHttp({
    service: 'lb',
    title: 'Convoy: gateway',
    log,
    metrics,
    tracing,
    bodyLimit: BODY_MAX_BYTES,
    ownNames: namesIn(config.CONVOY_LB_NAMES),
    missing,
    certificate,
    ...(gate && { gate })
  })
  app.server.requestTimeout = REQUEST_WITHIN_MS
  app.addHook('onClose', async () => {
    for (const instances of all) instances[Symbol.dispose]()
  })
  new Gauge({
    name: 'convoy_lb_instances',
    help: 'Instances known, by service',
    labelNames: ['service'],
    registers: [metrics],
    collect() {
      for (const { service, origins } of all) this.set({ service }, origins.length)
    }
  })
  addPage(app, services)
  await app.register(gateway, {
    services,
    metrics,
    attemptMs: config.CONVOY_LB_ATTEMPT_MS,
    deadlineMs: config.CONVOY_LB_DEADLINE_MS,
    ratePerS: config.CONVOY_LB_RATE_PER_S ?? 0,
    underWayMax: config.CONVOY_LB_UNDER_WAY_MAX
  })
  return app
}
