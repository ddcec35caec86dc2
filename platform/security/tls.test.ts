import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { request } from 'undici'
import { makeCertificates } from '../../local/certificates.ts'
import { certificateOf, clientCertificate, trust } from './tls.ts'

const dir = mkdtempSync(join(tmpdir(), 'convoy-'))
t.teardown(() => rmSync(dir, { recursive: true }))
const [one, other] = [makeCertificates(join(dir, 'one')), makeCertificates(join(dir, 'other'))]

/** Connections are not kept, so that each call is told anew whom it talks to. */
async function answering(t: Test): Promise<() => Promise<number>> {
  const certificate = certificateOf({ CONVOY_TLS_CERT: one.cert, CONVOY_TLS_KEY: one.key })
  const server = createServer({ ...certificate }, (_request, response) =>
    response.writeHead(204, { connection: 'close' }).end()
  )
  t.teardown(() => server.close())
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  return async () => (await request(`https://127.0.0.1:${port}/`)).statusCode
}

t.test('a process believes the CA that it was given, and no other', async t => {
  const call = await answering(t)
  await t.rejects(call(), { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' })
  trust({ CONVOY_TLS_CA: other.ca })
  await t.rejects(call(), { code: /UNABLE_TO|SIGNATURE/ })
  trust({ CONVOY_TLS_CA: one.ca })
  t.equal(await call(), 204)
})

t.test('a process shows its own certificate where it has one', async t => {
  t.strictSame(clientCertificate(), {}, 'none')
  trust({ CONVOY_TLS_CERT: one.cert, CONVOY_TLS_KEY: one.key })
  t.match(clientCertificate(), { cert: /BEGIN CERTIFICATE/, key: /PRIVATE KEY/ })
})

t.test('without certificates connections are plain; half of one is a mistake', async t => {
  t.equal(certificateOf({}), undefined)
  t.throws(() => certificateOf({ CONVOY_TLS_CERT: one.cert }), /go together/)
  t.throws(() => certificateOf({ CONVOY_TLS_KEY: one.key }), /go together/)
  const mixed = { CONVOY_TLS_CERT: one.cert, CONVOY_TLS_KEY: other.key }
  t.throws(() => certificateOf(mixed), /does not go with/)
  t.throws(() => trust({ CONVOY_TLS_CA: '/nowhere' }), /cannot be read/)
})
