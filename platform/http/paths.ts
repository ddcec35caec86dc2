/**
 * Tells an unknown path (404) from a known one with a wrong method (405 and `Allow`).
 * fastify says 404 to both. The patterns are only looked through when no route
 * was found, so this costs other requests nothing.
 */

import { MethodNotAllowedError, NotFoundError, type ServiceError } from '../../wire/errors.ts'
import type { Http } from './instance.ts'

export class KnownPaths {
  readonly #paths = new Map<string, { readonly pattern: RegExp; readonly methods: Set<string> }>()

  /** Call before the routes are added. */
  watch(app: Http): void {
    app.addHook('onRoute', ({ url, method }) => {
      const path = this.#paths.get(url) ?? { pattern: patternOf(url), methods: new Set() }
      for (const one of [method].flat()) path.methods.add(one)
      this.#paths.set(url, path)
    })
  }

  refusal(method: string, url: string): ServiceError {
    const path = url.split('?', 1)[0] ?? ''
    const matching = [...this.#paths.values()].filter(({ pattern }) => pattern.test(path))
    const allowed = new Set(matching.flatMap(({ methods }) => [...methods]))
    return allowed.size === 0 ? new NotFoundError() : new MethodNotAllowedError(method, allowed)
  }
}

/** fastify's `/rides/:rideId`, which takes an empty id too, and `/docs/*`. */
function patternOf(url: string): RegExp {
  const text = url
    .replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll(/:\w+/g, '[^/]*')
  return new RegExp(`^${text}$`)
}
