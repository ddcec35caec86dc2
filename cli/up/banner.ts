/**
 * What a system that is ready has to offer, and a first request.
 */
import type { Convoy } from '../../local/convoy.ts'

export function bannerOf(
  { run }: Pick<Convoy, 'run'>,
  { replicas, seconds }: { readonly replicas: number | undefined; readonly seconds: string }
): string {
  const { lb, orchestrator, 'users-api': usersApi, 'rides-api': ridesApi } = run.addresses
  const [, ...others] = run.orchestrators
  const more = others.map(url => `\n                 ${url}/api/v1`).join('')
  const fixed = `${replicas} replica${replicas === 1 ? '' : 's'}`
  const count = replicas === undefined ? 'replicas as the load asks for' : fixed
  const user = `{"username":"ada","password":"${'a'.repeat(40)}"}`
  return `
Convoy is ready (${seconds} s): one master, ${count}.

  ride pooling   ${lb}/api/v1          docs ${usersApi}/docs, ${ridesApi}/docs
  lb             ${lb}/                docs ${lb}/docs
  orchestrator   ${orchestrator}/api/v1          docs ${orchestrator}/docs${more}
  dashboard      ${orchestrator}/
  logs           ${run.logsDir}

A first request:

  curl -i -X PUT ${lb}/api/v1/users -H 'content-type: application/json' \\
    -d '${user}'

Ctrl-C, or \`convoy down\`, stops everything; the data stays for the next start.
`
}
