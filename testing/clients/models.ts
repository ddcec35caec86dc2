/**
 * The objects that clients work on, as SQL: how each action of `testing/history/` is
 * written, and how each object is read. Pure. The tables allow what must not happen
 * (an element twice), so that it would be seen; their names are none of an application's.
 */

import type { Statement } from '../cluster/database.ts'
import type { Action, Model, Value } from '../history/history.ts'

export const ACCOUNTS = 5
export const BANK_TOTAL = 500

const TABLES = ['registers', 'elements', 'lists', 'counters', 'accounts'] as const

export const SCHEMA: readonly Statement[] = [
  {
    sql: 'create table if not exists history_registers (key text primary key, value int not null)'
  },
  {
    sql: `create table if not exists history_elements (id bigint generated always as identity primary key,
      key text not null, element int not null)`
  },
  { sql: 'create index if not exists history_elements_key on history_elements (key)' },
  {
    sql: 'create table if not exists history_lists (key text primary key, elements int[] not null)'
  },
  { sql: 'create table if not exists history_counters (key text primary key, value int not null)' },
  {
    sql: `create table if not exists history_accounts (key text, account int, balance int not null,
      primary key (key, account))`
  }
]

/** Takes all of it away again. */
export const NO_SCHEMA: readonly Statement[] = TABLES.map(name => ({
  sql: `drop table if exists history_${name}`
}))

/** What an object is before anybody has changed it, where that is not nothing. */
export const opening = (model: Model, key: string): Statement[] =>
  model === 'bank'
    ? [
        {
          sql: 'insert into history_accounts select $1, n, $2 from generate_series(0, $3) n',
          params: [key, BANK_TOTAL / ACCOUNTS, ACCOUNTS - 1]
        }
      ]
    : []

/** One transaction; what the data forbids changes another number of rows than expected. */
export function statementsOf(key: string, action: Action): Statement[] {
  switch (action.do) {
    case 'write':
      return [
        {
          sql: `insert into history_registers values ($1, $2)
            on conflict (key) do update set value = excluded.value`,
          params: [key, action.value]
        }
      ]
    case 'swap':
      return [
        {
          sql: 'update history_registers set value = $2 where key = $1 and value = $3',
          params: [key, action.to, action.from],
          expectRows: 1
        }
      ]
    case 'insert':
      return [
        {
          sql: 'insert into history_elements (key, element) values ($1, $2)',
          params: [key, action.element]
        }
      ]
    case 'append':
      return [
        {
          sql: `insert into history_lists values ($1, array[$2::int])
            on conflict (key) do update set elements = history_lists.elements || excluded.elements`,
          params: [key, action.element]
        }
      ]
    case 'add':
      return [
        {
          sql: `insert into history_counters values ($1, $2)
            on conflict (key) do update set value = history_counters.value + excluded.value`,
          params: [key, action.amount]
        }
      ]
    case 'transfer':
      return transfer(key, action)
  }
}

function transfer(key: string, { from, to, amount }: Action & { do: 'transfer' }): Statement[] {
  const give = `update history_accounts set balance = balance - $3
    where key = $1 and account = $2 and balance >= $3`
  const take = 'update history_accounts set balance = balance + $3 where key = $1 and account = $2'
  return [
    { sql: give, params: [key, from, amount], expectRows: 1 },
    { sql: take, params: [key, to, amount], expectRows: 1 }
  ]
}

type Row = Readonly<Record<string, unknown>>

interface Reading {
  /** With the object's key as its parameter. */
  readonly sql: string
  readonly valueOf: (rows: readonly Row[]) => Value
}

const first = (rows: readonly Row[], column: string): unknown => rows[0]?.[column] ?? null
const all = (rows: readonly Row[], column: string) => rows.map(row => Number(row[column]))

export const READINGS: Readonly<Record<Model, Reading>> = {
  register: {
    sql: 'select value from history_registers where key = $1',
    valueOf: rows => first(rows, 'value') as number | null
  },
  set: {
    sql: 'select element from history_elements where key = $1',
    valueOf: rows => all(rows, 'element')
  },
  list: {
    sql: 'select to_jsonb(elements) as elements from history_lists where key = $1',
    valueOf: rows => (first(rows, 'elements') ?? []) as number[]
  },
  counter: {
    sql: 'select value from history_counters where key = $1',
    valueOf: rows => (first(rows, 'value') ?? 0) as number
  },
  bank: {
    sql: 'select balance from history_accounts where key = $1 order by account',
    valueOf: rows => all(rows, 'balance')
  }
}
