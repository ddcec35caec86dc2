/**
 * Requests that came one behind the other on a connection (lb sends GETs so): those of
 * their answers that are ready in one turn of the loop go out as one write. A request
 * that is alone on its connection is answered as ever.
 */
import type { Socket } from 'node:net'
import type { Http } from './instance.ts'

export function answerTogether(app: Http): void {
  /** Requests under way, by connection. */
  const underWay = new WeakMap<Socket, number>()
  const corked = new Set<Socket>()
  const uncork = () => {
    for (const socket of corked) socket.uncork()
    corked.clear()
  }
  app.addHook('onRequest', ({ raw: { socket } }, _reply, done) => {
    underWay.set(socket, (underWay.get(socket) ?? 0) + 1)
    done()
  })
  app.addHook('onSend', ({ raw: { socket } }, _reply, _payload, done) => {
    if ((underWay.get(socket) ?? 0) > 1 && !corked.has(socket)) {
      if (corked.size === 0) setImmediate(uncork)
      corked.add(socket)
      socket.cork()
    }
    done()
  })
  app.addHook('onResponse', ({ raw: { socket } }, _reply, done) => {
    const left = (underWay.get(socket) ?? 1) - 1
    if (left > 0) underWay.set(socket, left)
    else underWay.delete(socket)
    done()
  })
}
