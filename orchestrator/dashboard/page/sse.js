/**
 * Reads server-sent events from pieces of text, wherever they are cut. Pure.
 */
export class EventParser {
  #rest = ''

  /** @returns {{ type: string, data: unknown }[]} the events that are complete now */
  take(text) {
    const blocks = (this.#rest + text).split('\n\n')
    this.#rest = blocks.pop() ?? ''
    return blocks.flatMap(block => {
      const lines = block.split('\n')
      const data = lines.flatMap(line => (line.startsWith('data: ') ? [line.slice(6)] : []))
      const type = lines.find(line => line.startsWith('event: '))?.slice(7) ?? 'message'
      return data.length === 0 ? [] : [{ type, data: JSON.parse(data.join('\n')) }]
    })
  }
}
