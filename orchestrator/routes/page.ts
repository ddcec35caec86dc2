/**
 * GET /: the dashboard. Its files are read once, at start, and served from memory; they
 * hold no data and need no token. The headers let a browser run and fetch nothing but
 * what comes from here, and let nobody frame it.
 */
import { hash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { extname, join } from 'node:path'
import type { FastifyReply } from 'fastify'
import type { Http } from '../../platform/http/instance.ts'

const FOLDER = join(import.meta.dirname, '..', 'dashboard', 'page')
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml; charset=utf-8'
}
const HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  // Kept, and asked after each time: an update is seen at once.
  'cache-control': 'no-cache'
}

interface Served {
  readonly type: string
  readonly text: string
  readonly etag: string
}

export function addPage(app: Http): void {
  for (const name of readdirSync(FOLDER)) {
    const type = TYPES[extname(name)]
    if (type === undefined) continue
    const text = readFileSync(join(FOLDER, name), 'utf8')
    const file = { type, text, etag: `"${hash('sha256', text, 'base64url')}"` }
    const url = name === 'index.html' ? '/' : `/dashboard/${name}`
    app.get(url, { schema: { hide: true } }, (request, reply) =>
      send(reply, file, request.headers['if-none-match'])
    )
  }
}

function send(reply: FastifyReply, file: Served, known: string | undefined): FastifyReply {
  reply.headers(HEADERS).header('etag', file.etag)
  if (known === file.etag) return reply.code(304).send()
  return reply.type(file.type).send(file.text)
}
