/**
 * Known paths answer a wrong method with 405 and an `Allow` header, before anything
 * of the request's body is read. fastify alone answers 404.
 */
import type { Http } from '../http.ts'
import { MethodNotAllowedError } from './errors.ts'

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const
type Method = (typeof METHODS)[number]

/** Call before the routes are added, and the result after them. */
export function watchPaths(app: Http): () => void {
  const known = new Map<string, Set<string>>()
  app.addHook('onRoute', ({ url, method }) => {
    const methods = known.get(url) ?? new Set()
    for (const one of [method].flat()) methods.add(one)
    known.set(url, methods)
  })
  return () => {
    for (const [url, methods] of [...known]) refuseOthers(app, url, methods)
  }
}

function refuseOthers(app: Http, url: string, known: ReadonlySet<string>): void {
  const allow = METHODS.filter(method => known.has(method)).join(', ')
  const others: Method[] = METHODS.filter(method => !known.has(method))
  app.route({
    method: others,
    url,
    schema: { hide: true },
    onRequest: async (request, reply) => {
      reply.header('allow', allow)
      throw new MethodNotAllowedError(request.method)
    },
    handler: () => {}
  })
}
