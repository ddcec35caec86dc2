/**
 * The health check of Convoy's containers: `node compose/health.mjs http://127.0.0.1:8090/livez`,
 * or `unix:/path` for a worker, which says who it is to whoever connects. Exits 0 when it answers.
 */
import { connect } from 'node:net'

const TIMEOUT_MS = 2_000
const [target = ''] = process.argv.slice(2)

function says(path) {
  return new Promise((resolve, reject) => {
    connect(path).once('data', resolve).once('error', reject).once('close', reject)
  })
}

async function answers(url) {
  const { status } = await fetch(url)
  if (status !== 200) throw new Error(`${url} answered ${status}`)
}

setTimeout(() => process.exit(1), TIMEOUT_MS).unref()
try {
  await (target.startsWith('unix:') ? says(target.slice('unix:'.length)) : answers(target))
  process.exit(0)
} catch {
  process.exit(1)
}
