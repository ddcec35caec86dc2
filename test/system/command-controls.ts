/**
 * What `convoy` changes on a running system, as command.test.ts runs it: replicas,
 * settings, frozen instances, operations, Docker engines.
 */
import { join } from 'node:path'
import type { Test } from 'tap'
import { type CommandSystem, jsonOf } from './command.ts'

export async function changesSettings(t: Test, system: CommandSystem): Promise<void> {
  const scaled = await system.here('scale 3 --wait --json')
  t.match(jsonOf(scaled), { count: 3, wanted: 3, actual: 3 })
  t.match(jsonOf(await system.here('policy window --window-s 90 --json')), {
    kind: 'window',
    windowS: 90
  })
  t.match(jsonOf(await system.here('scale 2..4 --json')), { count: null, min: 2, max: 4 })
  t.equal((await system.here('config set policy.windowS 60')).out, 'policy.windowS is 60\n')
  const set = await system.here('config set log.lb debug --json')
  t.match(jsonOf(set), { controls: { logLevels: { lb: 'debug' } }, missing: [] })
  t.match(
    (await system.here('config set workers.connections 5')).out,
    /^workers.connections is 5: \d+ inst/
  )
  const some = await Promise.all([
    system.here('config get log.lb'),
    system.here('config get workers.connections'),
    system.here('config get policy.windowS')
  ])
  t.strictSame(
    some.map(({ out }) => out),
    ['debug\n', '5\n', '60\n']
  )
  const back = await system.here('config set workers.connections default --json')
  t.strictSame(jsonOf(back).controls.workers, {})
  const wrong = await Promise.all([
    system.here('config get log.kitchen'),
    system.here('config set log.lb loud'),
    system.here('config set lanes.batch many')
  ])
  for (const { code, out, err } of wrong) t.strictSame([code, out], [2, ''], err)
  const refused = await system.here('config set lanes.batch 0')
  t.equal(refused.code, 1)
  t.match(refused.err, 'CONVOY_INVALID_REQUEST')
}

export async function freezes(t: Test, system: CommandSystem): Promise<void> {
  const { cluster, instances } = jsonOf(await system.here('status --json'))
  const replica = cluster.workers.find(({ role }: { role: string }) => role === 'replica')
  t.match(jsonOf(await system.here(`freeze ${replica.pid} --json`)), {
    controls: { frozen: { [replica.id]: 'worker' } }
  })
  t.match((await system.here('status')).out, `worker ${replica.pid} (frozen)`)
  t.match((await system.here(`start ${replica.id}`)).out, `${replica.id} serves: `)
  t.notMatch((await system.here('status')).out, '(frozen)')

  const lb = instances.find(({ service }: { service: string }) => service === 'lb')
  const [last, nobody] = await Promise.all([
    system.here(`freeze ${lb.pid} --json`),
    system.here('freeze nobody --json')
  ])
  t.strictSame([last.code, nobody.code], [1, 1])
  t.match(JSON.parse(last.err), { code: 'CONVOY_LAST_INSTANCE' })
  t.match(JSON.parse(nobody.err), { code: 'CONVOY_NO_SUCH_INSTANCE' })
  t.match((await system.here(`freeze ${lb.pid} --force`)).out, `${lb.pid} is frozen: `)
  const rides = `${system.addresses.lb}/api/v1/rides?source=1&destination=2`
  t.equal((await fetch(rides)).status, 503)
  t.match((await system.here(`start ${lb.pid}`)).out, `${lb.pid} serves: `)
  t.equal((await fetch(rides)).status, 204)
}

export async function switchesOperations(t: Test, system: CommandSystem): Promise<void> {
  const disabled = await system.here('operations disable rides.list')
  t.match(disabled.out, 'rides.list is disabled: ')
  t.match((await system.here('operations')).out, /^rides\.list +DISABLED/m)
  const rides = `${system.addresses.lb}/api/v1/rides?source=1&destination=2`
  t.equal((await fetch(rides)).status, 503)
  t.match((await system.here('operations enable rides.list')).out, 'rides.list is enabled: ')
  t.equal((await fetch(rides)).status, 204)
  const unknown = await system.here('operations disable rides.fly --json')
  t.equal(unknown.code, 1)
  t.match(JSON.parse(unknown.err), { code: 'CONVOY_OPERATION_UNKNOWN' })
  t.equal((await system.here('operations disable')).code, 2)
}

export async function refusesEngine(t: Test, system: CommandSystem): Promise<void> {
  const refused = await system.here(`add-host two ${join(system.folder, 'no.sock')} --json`)
  t.equal(refused.code, 1)
  t.match(JSON.parse(refused.err), { code: 'CONVOY_HOST_REFUSED' })
  t.equal((await system.here('add-host two db2:2376')).code, 2)
  t.strictSame(jsonOf(await system.here('hosts --json')), [])
}
