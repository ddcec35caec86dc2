/**
 * The dashboard's own routes, without a cluster behind them.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Registry } from 'prom-client'
import t, { type Test } from 'tap'
import { openHttp } from '../../platform/http.ts'
import { openLog } from '../../platform/log.ts'
import { until } from '../../testing/wait.ts'
import type { WorkerNode } from '../../wire/znodes.ts'
import { openAdmission } from '../admission/admission.ts'
import { openParser } from '../admission/parser.ts'
import { type Cluster, type ClusterListener, NOTHING_KNOWN } from '../cluster-view.ts'
import type { OrchestratorConfig } from '../config.ts'
import type { Dispatch } from '../lanes/dispatch.ts'
import { Timeline } from '../timeline.ts'
import { dashboardRoutes } from './dashboard.ts'
import { addPage } from './page.ts'

const PAGE = join(import.meta.dirname, '..', 'dashboard', 'page')
const TWO_LOOKS_MS = 600
const admission = openAdmission(await openParser())
const log = openLog({ service: 'test', level: 'silent' })
const state = { clusterId: 'c', term: 3, master: 'm', inSync: ['m'] }
const CLUSTER: Cluster = { ...NOTHING_KNOWN, known: true, state }
const LED: Cluster = {
  ...CLUSTER,
  workers: new Map([['m', { pid: 7, role: 'master', term: 3 } as unknown as WorkerNode]])
}

async function server(t: Test, answer = { status: 200, body: '{}' }) {
  const asked: unknown[] = []
  const listeners = new Set<ClusterListener>()
  let looks = 0
  const view = {
    now: CLUSTER,
    on(listener: ClusterListener) {
      listeners.add(listener)
      return { [Symbol.dispose]: () => listeners.delete(listener) }
    }
  }
  const metrics = new Registry()
  const app = await openHttp({
    ...{ service: 'test', title: 'Test', log, metrics, bodyLimit: 10_000 },
    missing: () => []
  })
  addPage(app)
  await app.register(dashboardRoutes, {
    config: { CONVOY_READ_DEADLINE_MS: 9 } as OrchestratorConfig,
    ...{ admission, view, metrics, timeline: new Timeline(view, log), scaling: { wanted: 2 } },
    dispatch: {
      ...{ up: true, depths: {}, unanswered: { writes: 0, reads: 0 } },
      read: async (...args: unknown[]) => {
        asked.push(args)
        return { ...answer, body: Buffer.from(answer.body) }
      }
    } as unknown as Dispatch,
    sights: { orchestratorId: 'o', reads: () => new Map(), queues: async () => null },
    cluster: () => {
      looks += 1
      return { term: looks > 3 ? 4 : 3 }
    }
  })
  t.teardown(() => app.close())
  const change = (after: Cluster, before: Cluster) => {
    for (const listener of listeners) listener(after, before)
  }
  return { app, asked, change, looks: () => looks }
}

t.test('the page lets a browser run nothing but its own files', async t => {
  const { app } = await server(t)
  const { statusCode, headers, body } = await app.inject('/')
  t.equal(statusCode, 200)
  t.match(
    headers['content-security-policy'],
    /^default-src 'none'; script-src 'self'; style-src 'self';/
  )
  t.match(headers, { 'x-content-type-options': 'nosniff', 'x-frame-options': 'DENY' })
  t.notMatch(body, /<script(?![^>]* src=)|<style|\son\w+=|\sstyle=|https?:/)
  for (const [, file = ''] of body.matchAll(/(?:src|href)="(\/dashboard\/[^"]+)"/g)) {
    t.equal((await app.inject(file)).statusCode, 200, file)
  }
})

t.test('no file of the page makes markup of text, or asks another host', async t => {
  for (const name of readdirSync(PAGE).filter(name => name.endsWith('.js'))) {
    const text = readFileSync(join(PAGE, name), 'utf8')
    t.notMatch(
      text,
      /innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|DOMParser/,
      name
    )
    t.strictSame(text.match(/https?:\/\/(?!www\.w3\.org\/2000\/svg)/), null, name)
  }
})

t.test('a file that has not changed is not sent again', async t => {
  const { app } = await server(t)
  const { headers } = await app.inject('/dashboard/main.js')
  const again = await app.inject({
    url: '/dashboard/main.js',
    headers: { 'if-none-match': String(headers.etag) }
  })
  t.strictSame([again.statusCode, again.body], [304, ''])
  t.equal((await app.inject('/dashboard/../server.ts')).statusCode, 404)
})

t.test('what is explained is one admitted reading statement', async t => {
  const { app, asked } = await server(t)
  const explain = (payload: object) =>
    app.inject({ method: 'POST', url: '/api/v1/db/explain', payload })
  await explain({ sql: 'select $1::int', params: [1] })
  await explain({ sql: '-- all\nselect 1', analyze: true })
  t.strictSame(asked, [
    ['readQ', { sql: 'explain (format json) select $1::int', params: [1] }, 9],
    ['readQ', { sql: 'explain (format json, analyze) -- all\nselect 1', params: [] }, 9]
  ])
  for (const sql of [
    'delete from t',
    'select 1; select 2',
    'explain select 1',
    'select pg_sleep(1)',
    ''
  ]) {
    t.equal((await explain({ sql })).statusCode, 400, sql)
  }
  t.equal(asked.length, 2)
})

t.test('the place of an error is that in the statement as it was sent', async t => {
  const body = JSON.stringify({ code: 'CONVOY_SQL', message: 'no', position: 30 })
  const { app } = await server(t, { status: 400, body })
  const reply = await app.inject({
    ...{ method: 'POST', url: '/api/v1/db/explain' },
    payload: { sql: 'select nothing' }
  })
  t.strictSame(reply.json(), { code: 'CONVOY_SQL', message: 'no', position: 8 })
})

t.test('logs that are not on this machine are said to be elsewhere', async t => {
  const { app } = await server(t)
  const { lines, sources, unreachable } = (await app.inject('/api/v1/requests/x/logs')).json()
  t.strictSame([lines, sources, unreachable.length], [[], [], 2])
})

t.test('the cluster is looked at while somebody listens', async t => {
  const { app, change, looks } = await server(t)
  const origin = await app.listen({ port: 0, host: '127.0.0.1' })
  t.equal(looks(), 0, 'nobody listens')
  const ended = new AbortController()
  const { body } = await fetch(`${origin}/api/v1/cluster/stream`, { signal: ended.signal })
  const events: string[] = []
  for await (const text of body?.pipeThrough(new TextDecoderStream()) ?? []) {
    for (const [, type] of text.matchAll(/^event: (\w+)$/gm)) events.push(type ?? '')
    if (events.length === 2) change(LED, CLUSTER)
    if (events.includes('happening') && events.lastIndexOf('cluster') > 1) break
  }
  t.strictSame(events.slice(0, 2), ['history', 'cluster'])
  ended.abort()
  await until('no further look', { withinMs: 5_000 }, async () => {
    const seen = looks()
    await sleep(TWO_LOOKS_MS)
    return looks() === seen ? true : undefined
  })
})
