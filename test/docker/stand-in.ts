/**
 * An image for tests of the runtime: a stand-in that does what the runtime looks for in
 * a worker (its id in its volume), and nothing else. Debian's static busybox and a script.
 */
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestEngine } from './engine.ts'

export const STAND_IN = 'convoy-stand-in'

/** `told` is there for a test to read; FAILING ends at once; STUBBORN does not hear SIGTERM. */
const SCRIPT = `#!/bin/busybox sh
cd /var/lib/convoy
if [ -n "$CONVOY_FAILING" ]; then echo "cannot do it: $CONVOY_FAILING"; exit 3; fi
[ -f worker.json ] || echo "{\\"workerId\\":\\"id-$(busybox head -c 100 /proc/sys/kernel/random/uuid)\\"}" > worker.json
[ -n "$CONVOY_STUBBORN" ] && trap '' TERM || trap 'exit 0' TERM
while :; do busybox sleep 1 & wait $!; done
`

export function loadStandIn({ host }: TestEngine): void {
  const dir = mkdtempSync(join(tmpdir(), 'stand-in-'))
  try {
    for (const folder of ['bin', 'tmp', 'proc', 'var/lib/convoy']) {
      mkdirSync(join(dir, 'root', folder), { recursive: true })
    }
    cpSync('/bin/busybox', join(dir, 'root/bin/busybox'))
    cpSync('/bin/busybox', join(dir, 'root/bin/node')) // The health check looks for it.
    writeFileSync(join(dir, 'root/worker'), SCRIPT, { mode: 0o755 })
    const archive = join(dir, 'image.tar')
    execFileSync('tar', ['-C', join(dir, 'root'), '-cf', archive, '.'])
    const changes = ['CMD ["/worker"]', 'ENV PATH=/bin'].flatMap(change => ['--change', change])
    execFileSync('docker', ['--host', host, 'import', ...changes, archive, STAND_IN], {
      stdio: ['ignore', 'ignore', 'inherit']
    })
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}
