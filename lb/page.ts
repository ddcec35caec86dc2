/**
 * The page at `/`: which paths go where, who answers them now, and where they are
 * documented. Each service documents itself.
 */
import type { Http } from '../platform/http/instance.ts'
import { pageHeaders } from '../platform/security/headers.ts'
import type { Instances } from './instances.ts'
import { ROUTES, type ServiceName } from './routes.ts'

const PAGE = pageHeaders("default-src 'none'; style-src 'unsafe-inline'")

export function addPage(app: Http, services: Readonly<Record<ServiceName, Instances>>): void {
  const schema = { tags: ['routes'], summary: 'Paths, the instances that answer them, their docs' }
  app.get('/', { schema }, (_request, reply) =>
    reply.headers(PAGE).type('text/html; charset=utf-8').send(page(services))
  )
}

function page(services: Readonly<Record<ServiceName, Instances>>): string {
  const rows = ROUTES.map(({ prefix, service }) => {
    // Origins of URLs hold no character that HTML would mind.
    const docs = services[service].origins.map(
      origin => `<a href="${origin}/docs">${origin}/docs</a>`
    )
    return `<tr><td><code>${prefix}*</code><td>${service}<td>${docs.join('<br>') || 'none yet'}`
  })
  return `<!doctype html><meta charset="utf-8"><title>Convoy</title>
<style>body{font:16px/1.5 system-ui;margin:3rem}td,th{padding:.3rem 1rem;text-align:left}</style>
<h1>Convoy</h1><table><tr><th>Paths<th>Service<th>Documentation${rows.join('\n')}</table>
<p>lb itself: <a href="/docs">/docs</a>, <a href="/readyz">/readyz</a>, <a href="/metrics">/metrics</a></p>
`
}
