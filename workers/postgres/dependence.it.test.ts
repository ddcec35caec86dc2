import t from 'tap'
import { command, ddl, startWorker } from '../../testing/fixtures/postgres.ts'
import type { Dependence } from '../../wire/requests.ts'

const SCHEMA = [
  'create table people (id int primary key, name text, born date, seen timestamptz)',
  'create table pets (id int primary key, person int references people on delete cascade, kind text)',
  'create table parts (id int, at int, primary key (id, at)) partition by range (at)',
  'create table parts_a partition of parts for values from (0) to (10)',
  'create table parts_b partition of parts for values from (10) to (20)',
  "create type mood as enum ('good', 'bad')",
  'create table moods (id int primary key, mood mood, tags text[])',
  'create view owners as select p.name, q.kind from people p join pets q on q.person = p.id',
  'create view seen_now as select name, now() as at from people'
]

const PARTS = ['parts', 'parts_a', 'parts_b']

/** What depends on tables alone, and on which. */
const ON_TABLES: Readonly<Record<string, readonly string[]>> = {
  'select 1': [],
  'select * from people where id = $1': ['people'],
  'select * from people where name = any($1::text[]) order by name limit $2': ['people'],
  'select kind, count(*) from owners group by kind order by 2 desc': ['people', 'pets'],
  'select * from public.people p where exists (select from pets where person = p.id)': [
    'people',
    'pets'
  ],
  // A planner leaves these tables out.
  'select p.id from people p left join moods m on m.id = p.id': ['moods', 'people'],
  'select * from people where false': ['people'],
  'select (select max(id) from pets), (id, at) > ($1, $2) from parts_a': [...PARTS, 'pets'].sort(),
  'select * from parts where at = 3': PARTS,
  "select * from moods where mood = $1 and tags @> '{a}'": ['moods'],
  'with recursive up as (select 1 as n union all select n + 1 from up where n < 5) select * from up':
    [],
  'select *, row_number() over (partition by kind order by id) from pets': ['pets'],
  'select case when id > 3 then coalesce(name, $1) else lower(name) end from people': ['people'],
  'select array[id, 2], row(id, name), nullif(name, $1), greatest(id, 3) from people': ['people'],
  'select kind, array_agg(id order by id) filter (where id > 1) from pets group by rollup (kind)': [
    'pets'
  ],
  'select id from people union select id from pets except select 7': ['people', 'pets'],
  'select name collate "C", id is null, (name = $1) is true from people': ['people']
}

const NOT_ON_TABLES_ALONE = [
  'select now()',
  'select current_timestamp, current_user',
  'select random() from people',
  'select * from seen_now',
  "select * from people where seen > 'now'",
  "select * from people where seen > '2020-01-01'",
  "select * from people where born = 'today'::date",
  'select * from people where seen > born',
  'select id::text from people where id::text = $1',
  'select to_char(seen, $1) from people',
  'select json_agg(p) from people p',
  'select * from people tablesample bernoulli (10)',
  'select xmin, ctid from people',
  'select relname from pg_class',
  'select * from information_schema.tables',
  "select nextval('people_id_seq')",
  'select * from nothing',
  'select * from people where id = $2',
  'select xmlelement(name a, name) from people',
  'select * from people where seen > $1::timestamptz - $2::interval',
  'select version()'
]

t.test('what answers depend on', async t => {
  const { store } = await startWorker(t)
  await store.beginTerm(1)
  for (const sql of SCHEMA) await store.execute([ddl(sql)], 1)
  await store.execute([command(["insert into people values (1, 'a', 'today', 'now')"])], 1)
  const dependence = async (sql: string) => {
    const { applied, answer } = await store.dependence(sql)
    const { index, ...rest } = JSON.parse(answer.body) as Dependence & { index: number }
    t.strictSame([applied, index, answer.status], [store.last.index, store.last.index, 200])
    return rest
  }

  await t.test('is every table in it, whatever a plan would leave out', async t => {
    for (const [sql, tables] of Object.entries(ON_TABLES)) {
      t.strictSame(await dependence(sql), { tables, instants: [] }, sql)
    }
  })

  await t.test('is more than tables where anything is not immutable', async t => {
    for (const sql of NOT_ON_TABLES_ALONE) {
      t.strictSame(await dependence(sql), { tables: null, instants: [] }, sql)
    }
  })

  await t.test('tells which parameters are dates or timestamps', async t => {
    const sql = 'select * from people where id > $1 and seen > $2 and born = $3'
    t.strictSame(await dependence(sql), { tables: ['people'], instants: [1, 2] })
  })

  await t.test('is not misled by names', async t => {
    await store.execute([ddl('create table "{CONST :relid 1" (id int primary key)')], 1)
    const sql = 'select id as "} {FUNCEXPR :funcid 1299" from "{CONST :relid 1"'
    const { tables } = await dependence(sql)
    t.ok(tables === null || tables.includes('{CONST :relid 1'))
  })

  await t.test('is told of many statements asked at once, more than may connect', async t => {
    const asked = Array.from({ length: 200 }, (_, i) => store.dependence(`select ${i} from people`))
    const statuses = (await Promise.all(asked)).map(({ answer }) => answer.status)
    t.strictSame(new Set(statuses), new Set([200]))
  })
})
