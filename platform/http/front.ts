/** `/` of a server that has no page of its own leads to the one where its API can be tried. */
import type { Http } from './instance.ts'

export function leadToDocs(app: Http): void {
  app.get('/', { schema: { hide: true } }, (_request, reply) => reply.redirect('/docs'))
}
