/**
 * Where the system of a command keeps its things: that of this checkout in `.convoy/`,
 * and, run by root, its data where the servers' users can go; another one, named by
 * --folder, all in that folder.
 */
import { fileURLToPath } from 'node:url'
import { dataFolderOf, type Folder, openFolder } from '../../local/folder.ts'
import { FOLDER } from '../../local/run-file.ts'
import type { Where } from '../command.ts'
import { folderOf } from '../target.ts'

const CHECKOUT = fileURLToPath(new URL('../..', import.meta.url))

export interface Place {
  readonly root: string
  readonly dirs: readonly string[]
  open(): Folder
}

export function placeOf(args: Pick<Where, 'folder'>): Place {
  const root = folderOf(args)
  const data = root === FOLDER ? dataFolderOf(CHECKOUT) : undefined
  return {
    root,
    dirs: data === undefined ? [root] : [root, data],
    open: () => openFolder(root, data)
  }
}
