/**
 * What a backup says of itself: the file `convoy.json`, the first member of its tar;
 * docs/backup.md.
 */

export const HEAD_NAME = 'convoy.json'
/** PostgreSQL's own list of all files of the copy, with their checksums. */
export const MANIFEST_NAME = 'backup_manifest'
/** Of the archive; one that is newer than the reader is refused. */
export const BACKUP_FORMAT = 1

export interface BackupHead {
  readonly format: number
  /** Of the cluster that was copied. A restored one is another. */
  readonly clusterId: string
  /** In which the copy was begun. */
  readonly term: number
  /** Committed before the copy was begun, and so in it; it holds what came meanwhile, too. */
  readonly index: number
  /** Whose database it is. */
  readonly workerId: string
  /** Version of PostgreSQL: another major version cannot read the copy. */
  readonly postgres: string
  readonly at: string
}
