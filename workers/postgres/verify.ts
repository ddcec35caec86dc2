/**
 * A replica's part in a `verify`: compares all that comparison.ts speaks of with what the
 * master found at the same index, which is the entry's result, and looks for faults of its own.
 */
import type { Entry } from '../entry.ts'
import type { Verified } from '../store.ts'
import type { Catalog } from './catalog.ts'
import { differing, type Item, Items, inspectionText } from './comparison.ts'
import type { Step } from './connection.ts'

/** @param own.last where the log ends here */
export async function verify(
  { index, result }: Entry,
  own: { catalog: Catalog; secret: string; last: number },
  send: (steps: readonly Step[]) => Promise<void>
): Promise<Verified> {
  const ours = new Items()
  const values = [own.secret, String(own.last)]
  await send([{ sql: inspectionText(own.catalog), values, sink: ours }])
  const results = JSON.parse(result) as { rows: Item[] }[]
  const theirs = results.flatMap(({ rows }) => rows)
  return { index, differing: differing(ours.items, theirs) }
}
