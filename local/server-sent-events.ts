/**
 * Reads a stream of server-sent events, as orchestrators write them.
 */

export interface ServerSentEvent {
  readonly type: string
  /** JSON text. */
  readonly data: string
}

export async function* serverSentEvents(
  body: ReadableStream<Uint8Array>
): AsyncGenerator<ServerSentEvent> {
  let rest = ''
  for await (const text of body.pipeThrough(new TextDecoderStream())) {
    const blocks = (rest + text).split('\n\n')
    rest = blocks.pop() ?? ''
    for (const block of blocks) {
      const type = fieldOf(block, 'event')
      const data = fieldOf(block, 'data')
      if (data !== undefined) yield { type: type ?? 'message', data }
    }
  }
}

const fieldOf = (block: string, name: string): string | undefined =>
  block
    .split('\n')
    .find(line => line.startsWith(`${name}: `))
    ?.slice(name.length + 2)
