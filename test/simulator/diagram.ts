/**
 * The state diagram of docs/protocol.md as data, so that it can be held against what
 * simulated workers do.
 */

const DIAGRAM = /```mermaid\s+stateDiagram-v2\n(.*?)```/s
const ARROW = /^\s*(\S+) --> (\w+)/

/** `from -> to`, each arrow once; the beginning is `[*]`. */
export function arrowsOf(markdown: string): Set<string> {
  const diagram = DIAGRAM.exec(markdown)?.[1]
  if (diagram === undefined) throw new Error('there is no state diagram')
  const arrows = diagram.split('\n').flatMap(line => {
    const [, from, to] = ARROW.exec(line) ?? []
    return from === undefined ? [] : [`${from} -> ${to}`]
  })
  return new Set(arrows)
}
