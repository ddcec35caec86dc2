/**
 * Calls of the orchestrator that served this page. The token, where one is needed, goes
 * in a header, never in an address, and is kept in this tab's session alone.
 */
import { EventParser } from './sse.js'

const TOKEN = 'convoy.token'
const SILENCE_MS = 5_000
const AGAIN_MS = { first: 250, most: 3_000 }

export const token = {
  get: () => sessionStorage.getItem(TOKEN),
  set: value => sessionStorage.setItem(TOKEN, value),
  forget: () => sessionStorage.removeItem(TOKEN)
}

const authorization = () => {
  const value = token.get()
  return value === null ? {} : { authorization: `Bearer ${value}` }
}

/** @returns {Promise<{ status: number, body: any, ms: number, requestId: string | null }>} status 0: no answer */
export async function call(method, path, body) {
  const startedAt = performance.now()
  const type = body === undefined ? {} : { 'content-type': 'application/json' }
  try {
    const response = await fetch(`/api/v1/${path}`, {
      method,
      headers: { ...type, ...authorization() },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      cache: 'no-store'
    })
    const text = await response.text()
    return {
      status: response.status,
      body: text === '' ? null : JSON.parse(text),
      ms: performance.now() - startedAt,
      requestId: response.headers.get('x-request-id')
    }
  } catch (error) {
    const message = `no answer: ${error.message}`
    return { status: 0, body: { message }, ms: performance.now() - startedAt, requestId: null }
  }
}

export const wordsOf = ({ status, body }) =>
  body?.message === undefined ? `status ${status}` : `${body.message} (${body.code ?? status})`

/**
 * Follows the cluster for as long as the page lives, and connects again when that ends.
 * @param listeners `event(type, data)`, `state('live' | 'away' | 'refused')`
 * @returns a function that connects anew at once, with another token say
 */
export function follow({ event, state }) {
  let connection = new AbortController()
  let waits = AGAIN_MS.first
  let again

  async function connect() {
    clearTimeout(again)
    connection.abort()
    const mine = new AbortController()
    connection = mine
    const outcome = await read(mine).catch(() => 'away')
    if (mine !== connection) return
    state(outcome)
    if (outcome === 'refused') return
    again = setTimeout(connect, waits)
    waits = Math.min(AGAIN_MS.most, waits * 2)
  }

  async function read(mine) {
    let silence
    const heard = () => {
      clearTimeout(silence)
      silence = setTimeout(() => mine.abort(), SILENCE_MS)
    }
    heard()
    try {
      const { signal } = mine
      const headers = authorization()
      const response = await fetch('/api/v1/cluster/stream', { headers, signal, cache: 'no-store' })
      if (response.status === 401) return 'refused'
      if (response.status !== 200) return 'away'
      state('live')
      waits = AGAIN_MS.first
      const parser = new EventParser()
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
      for (;;) {
        const { value, done } = await reader.read()
        if (done) return 'away'
        heard()
        for (const { type, data } of parser.take(value)) event(type, data)
      }
    } finally {
      clearTimeout(silence)
    }
  }

  void connect()
  return () => {
    waits = AGAIN_MS.first
    void connect()
  }
}
