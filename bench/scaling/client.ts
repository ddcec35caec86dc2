/** What the scaling bench asks of an orchestrator. */

export interface ClusterNow {
  readonly inSync: readonly string[]
  readonly commitIndex: number
  readonly workers: readonly { readonly id: string; readonly role: string; readonly pid: number }[]
  readonly replicas: { readonly wanted: number }
  readonly policy: { readonly decision: { readonly at: string; readonly reason: string } | null }
}

export class Client {
  readonly url: string

  /** @param url of the orchestrator */
  constructor(url: string) {
    this.url = url
  }

  async cluster(): Promise<ClusterNow> {
    return (await this.#call('GET', 'cluster')) as ClusterNow
  }

  async pids(): Promise<number[]> {
    return (await this.#call('GET', 'worker/list')) as number[]
  }

  async setReplicas(body: { count: number } | { min: number; max: number }): Promise<void> {
    await this.#call('PUT', 'cluster/replicas', body)
  }

  async setWindow(body: { windowS: number; readsPerReplica: number }): Promise<void> {
    await this.#call('PUT', 'cluster/policy', { kind: 'window', ...body })
  }

  async write(sql: string, params: readonly unknown[] = []): Promise<void> {
    await this.#call('POST', 'db/write', { statements: [{ sql, params }] })
  }

  /** @returns the worker that answered */
  async read(sql: string): Promise<string> {
    return ((await this.#call('POST', 'db/read', { sql })) as { workerId: string }).workerId
  }

  async #call(method: string, path: string, body?: object): Promise<unknown> {
    const answer = await fetch(`${this.url}/api/v1/${path}`, {
      method,
      ...(body && {
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body)
      })
    })
    const text = await answer.text()
    if (answer.status !== 200) throw new Error(`${path} answered ${answer.status}: ${text}`)
    return JSON.parse(text)
  }
}
