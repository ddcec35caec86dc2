import { gunzipSync, gzipSync } from 'node:zlib'
import t from 'tap'
import { beginSeal, isSealedBy, SEAL_BYTES, sealOf } from './backup-seal.ts'

const SECRET = 'a secret of the installation'
const bytes = gzipSync('all that there is')
const sealed = Buffer.concat([bytes, sealOf(beginSeal(SECRET).update(bytes))])
const isSealed = (file: Buffer, secret = SECRET) =>
  isSealedBy(beginSeal(secret).update(file.subarray(0, -SEAL_BYTES)), file.subarray(-SEAL_BYTES))

t.test('readers of gzip do not notice the seal', async t => {
  t.equal(gunzipSync(sealed).toString(), 'all that there is')
})

t.test('any change, another secret or no seal is noticed', async t => {
  t.ok(isSealed(sealed))
  t.notOk(isSealed(sealed, 'another secret'))
  t.notOk(isSealed(bytes))
  for (let at = 0; at < sealed.length; at++) {
    const changed = Buffer.from(sealed)
    changed.writeUInt8(changed.readUInt8(at) ^ 1, at)
    t.notOk(isSealed(changed), `byte ${at}`)
  }
})
