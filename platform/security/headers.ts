/**
 * What browsers are told about what they get: pages run and fetch nothing but what they
 * name, sit in nobody's frame, and tell nobody where a reader came from.
 */
const NO_MORE = "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

/** @param policy what the page itself needs, as in Content-Security-Policy */
export const pageHeaders = (policy: string): Readonly<Record<string, string>> => ({
  'content-security-policy': `${policy}; ${NO_MORE}`,
  'referrer-policy': 'no-referrer',
  'x-frame-options': 'DENY'
})

/** For the page at /docs, which comes with its own scripts and styles. */
export const DOCS_POLICY = [
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:; font-src 'self'; connect-src 'self'",
  NO_MORE
].join('; ')
