/**
 * How an instance of users-api or rides-api makes itself known: lb sends requests to
 * whatever stands at `/services/<name>/<id>`. Register when ready to answer, and
 * dispose before the server is closed.
 */
import { SERVICES, type ServiceNode } from './wire/znodes.ts'
import type { Kept, ZooKeeper } from './zookeeper.ts'

/** @param instance its `http` is an origin, such as `http://127.0.0.1:8081` */
export function registerService(
  zooKeeper: ZooKeeper,
  instance: { readonly name: string; readonly id: string; readonly http: string }
): Kept {
  const node: ServiceNode = { http: new URL(instance.http).origin, pid: process.pid }
  return zooKeeper.keep(`${SERVICES}/${instance.name}/${instance.id}`, JSON.stringify(node))
}
