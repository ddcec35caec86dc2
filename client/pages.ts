/**
 * Lists of any length, read in pages: the orchestrator bounds the size of one
 * result, the application's lists have no bound. A page that proves too large is
 * asked for again at half the size.
 * Each page is a read of its own: a row that is added or removed meanwhile may or
 * may not be in the list, one that stays throughout is there exactly once.
 */
import type { Context, Database, ReadQuery, Row } from './database.ts'
import { DatabaseError } from './errors.ts'

const PAGE_ROWS = 10_000

/**
 * @param page the query of at most `limit` rows that follow `after` in a total order;
 *   `after` is undefined for the first page
 * @param options.limit of the whole list; none unless told
 */
export async function readPages<R = Row>(
  db: Database,
  page: (after: R | undefined, limit: number) => ReadQuery,
  { limit: wanted = Number.POSITIVE_INFINITY, ...context }: Context & { readonly limit?: number }
): Promise<R[]> {
  const rows: R[] = []
  let pageRows = PAGE_ROWS
  for (;;) {
    const limit = Math.min(pageRows, wanted - rows.length)
    const got = await db.read<R>(page(rows.at(-1), limit), context).catch(unlessTooLarge)
    if (got === 'too large') {
      if (limit === 1) throw new Error('a single row exceeds the limit of a result')
      pageRows = Math.ceil(limit / 2)
      continue
    }
    for (const row of got.rows) rows.push(row)
    if (got.rows.length < limit || rows.length === wanted) return rows
  }
}

function unlessTooLarge(err: unknown): 'too large' {
  if (err instanceof DatabaseError && err.status === 413) return 'too large'
  throw err
}
