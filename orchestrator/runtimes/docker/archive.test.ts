import { execFileSync } from 'node:child_process'
import t from 'tap'
import { archiveOf, fileIn } from './archive.ts'

t.test('what is packed can be unpacked, by us and by tar', async t => {
  for (const text of ['', '{"a":"ä"}', 'x'.repeat(511), 'y'.repeat(512), 'z'.repeat(3_000)]) {
    const archive = archiveOf('one.json', text)
    t.equal(fileIn(archive), text)
    t.equal(execFileSync('tar', ['-xO', 'one.json'], { input: archive, encoding: 'utf8' }), text)
  }
})

t.test('attributes and folders before the file are passed over', async t => {
  const script =
    'cd $(mktemp -d) && mkdir d && printf found > d/f && tar --format=pax -cf - d; rm -r "$PWD"'
  t.equal(fileIn(execFileSync('sh', ['-c', script])), 'found')
})

t.test('an archive without a file, or cut off, holds nothing', async t => {
  t.equal(fileIn(Buffer.alloc(1_024)), null)
  t.equal(fileIn(Buffer.alloc(100)), null)
})
