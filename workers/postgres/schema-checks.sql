-- What schema changes may bring: columns whose values are read back from their text, expressions that
-- give the same on every worker, partitions that hold the same rows everywhere. The master looks at what
-- is new after each schema change (schema-capture.sql), and the command fails as a whole; replicas take
-- what the master took. What was there before these checks stays. Written anew at each start of a worker.

-- What was looked at, as a digest of what it is.
do $$
begin
  if to_regclass('convoy.examined') is null then
    create table convoy.examined (key text primary key);
  end if;
  -- Conversions of columns that were looked at, by the digest of their statement.
  if to_regclass('convoy.conversion') is null then
    create unlogged table convoy.conversion (statement text primary key);
    grant select, insert, delete on convoy.conversion to convoy_app;
  end if;
end $$;

-- Why values of a type do not replicate, whatever they hold; null where they do. This list, and what
-- values.it.test.ts shows of it, are what docs/values.md promises.
create or replace function convoy.type_fault(type oid) returns text
  language sql stable set search_path = pg_catalog as $$
  select case
    when t.typtype in ('e', 'd', 'c', 'r', 'm') or exists (select from pg_type e where e.typarray = t.oid) then null
    when t.typtype = 'b' and t.typnamespace = 'pg_catalog'::regnamespace and t.typname in ('bool', 'int2', 'int4',
      'int8', 'oid', 'numeric', 'float4', 'float8', 'money', 'text', 'varchar', 'bpchar', 'char', 'name', 'bytea',
      'date', 'time', 'timetz', 'timestamp', 'timestamptz', 'interval', 'uuid', 'json', 'jsonb', 'jsonpath', 'xml',
      'inet', 'cidr', 'macaddr', 'macaddr8', 'bit', 'varbit', 'point', 'line', 'lseg', 'box', 'path', 'polygon',
      'circle', 'tsvector', 'tsquery', 'pg_lsn', 'pg_snapshot') then null
    when t.typname ~ '^reg' then format('values of type %s name objects of one worker: take text', t.typname)
    else format('values of type %s are not replicated', t.typname)
  end
  from pg_type t where t.oid = type
$$;

-- Types some of whose values cannot be read back from their text. Each row that holds one is read back
-- before it is captured (convoy.attach).
create or replace function convoy.is_doubtful(type oid) returns boolean
  language sql stable set search_path = pg_catalog as $$
  select exists (select from convoy.types_in(type) h (id) join pg_type t on t.oid = h.id
    where t.typnamespace = 'pg_catalog'::regnamespace and t.typname in ('char', 'money', 'timetz', 'interval', 'jsonpath',
      'xml', 'point', 'line', 'lseg', 'box', 'path', 'polygon', 'circle', 'tsvector', 'tsquery', 'pg_snapshot'))
$$;

create or replace function convoy.is_doubtful_table(tbl oid) returns boolean
  language sql stable set search_path = pg_catalog as $$
  select exists (select from pg_attribute a where a.attrelid = tbl and a.attnum > 0 and not a.attisdropped
    and convoy.is_doubtful(a.atttypid))
$$;

-- True of a row `r` whose text is read back as something else, by their binary forms.
create or replace function convoy.unreadable(tbl name) returns text
  language sql immutable set search_path = pg_catalog as $$
  select format('record_send((r.*)::public.%1$I) is distinct from record_send((r.*)::text::public.%1$I)', tbl)
$$;

create or replace function convoy.refuse_unreadable(tbl name, why text default 'it comes back as another') returns void
  language plpgsql set search_path = pg_catalog as $$
begin
  raise 'a value in table "%" cannot be read back from its text: %', tbl, why using errcode = 'CV006';
end $$;

-- Hash functions that depend on nothing but the value.
create or replace function convoy.hash_fault(opclass oid) returns text
  language sql stable set search_path = pg_catalog as $$
  select format('HASH by %s puts rows elsewhere on each worker: take LIST or RANGE', c.opcintype::regtype)
  from pg_opclass c left join pg_amproc p on p.amprocfamily = c.opcfamily and p.amprocnum = 2
    and p.amproclefttype = c.opcintype and p.amprocrighttype = c.opcintype
  where c.oid = opclass and (p.amproc is null or p.amproc::oid >= 16384 or p.amproc::text !~ ('^(hashint2|hashint4|hashint8|hashoid'
    || '|hashtext|hashbpchar|hashchar|hashname|hashvarlena|hashfloat4|hashfloat8|hash_numeric|timestamp_hash_|time_hash_'
    || '|timetz_hash_|interval_hash_|uuid_hash_|hashinet|hashmacaddr|hashmacaddr8|jsonb_hash_|pg_lsn_hash_)extended$'))
$$;

-- Columns of tables and composite types, elements of ranges, bases of domains.
create or replace view convoy.value_place as
  select format('column "%s" of "%s"', a.attname, c.relname) as place, a.atttypid as type, a.attcollation as collation_id,
    format('column %s %s %s', c.oid, a.attnum, a.atttypid) as key
  from pg_catalog.pg_class c join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'c')
  union all
  select format('type "%s"', t.typname), coalesce(r.rngsubtype, t.typbasetype), coalesce(r.rngcollation, t.typcollation),
    format('type %s', t.oid)
  from pg_catalog.pg_type t left join pg_catalog.pg_range r on r.rngtypid = t.oid
  where t.typnamespace = 'public'::regnamespace and t.typtype in ('r', 'd');

-- Every stored expression, and whether it is evaluated on every worker. A default is not: the master
-- evaluates it, and its value travels in the row.
create or replace view convoy.stored_expression as
  select case a.attgenerated when 's' then 'generated column' else 'default of column' end || format(' "%s" of "%s"', a.attname, c.relname)
      as place, d.adbin::text as tree, a.attgenerated = 's' as is_everywhere
  from pg_catalog.pg_attrdef d join pg_catalog.pg_attribute a on a.attrelid = d.adrelid and a.attnum = d.adnum
  join pg_catalog.pg_class c on c.oid = d.adrelid where c.relnamespace = 'public'::regnamespace
  union all
  select format('constraint "%s"', n.conname), n.conbin::text, true from pg_catalog.pg_constraint n
    where n.connamespace = 'public'::regnamespace and n.conbin is not null
  union all
  select format('default of "%s"', t.typname), t.typdefaultbin::text, false from pg_catalog.pg_type t
    where t.typnamespace = 'public'::regnamespace and t.typdefaultbin is not null
  union all
  select format('index "%s"', c.relname), x.tree, true
  from pg_catalog.pg_index i join pg_catalog.pg_class c on c.oid = i.indexrelid
  cross join lateral (values (i.indexprs::text), (i.indpred::text)) x (tree)
  where c.relnamespace = 'public'::regnamespace and x.tree is not null
  union all
  select format('partition key of "%s"', c.relname), p.partexprs::text, true
  from pg_catalog.pg_partitioned_table p join pg_catalog.pg_class c on c.oid = p.partrelid
  where c.relnamespace = 'public'::regnamespace and p.partexprs is not null
  union all
  select format('bound of "%s"', c.relname), c.relpartbound::text, true from pg_catalog.pg_class c
    where c.relnamespace = 'public'::regnamespace and c.relpartbound is not null
  union all
  -- Only read, by whom it may give what it likes; but a constant in it was read once on each worker.
  select format('view "%s"', c.relname), r.ev_action::text, false
  from pg_catalog.pg_rewrite r join pg_catalog.pg_class c on c.oid = r.ev_class
  where c.relnamespace = 'public'::regnamespace and c.relkind = 'v';

-- Keys of hash partitions, and collations of keys and indexes.
create or replace view convoy.key_place as
  select format('partition key of "%s"', c.relname) as place, p.partstrat = 'h' as is_hash, k.opclass, k.collation_id,
    format('key %s %s', c.oid, k.i) as key
  from pg_catalog.pg_partitioned_table p join pg_catalog.pg_class c on c.oid = p.partrelid
  cross join lateral unnest(p.partclass::oid[], p.partcollation::oid[]) with ordinality k (opclass, collation_id, i)
  where c.relnamespace = 'public'::regnamespace
  union all
  select format('index "%s"', c.relname), false, 0, k.collation_id, format('index %s %s', c.oid, k.i)
  from pg_catalog.pg_index x join pg_catalog.pg_class c on c.oid = x.indexrelid
  cross join lateral unnest(x.indcollation::oid[]) with ordinality k (collation_id, i)
  where c.relnamespace = 'public'::regnamespace;

create or replace function convoy.refuse_varying(place text, why text) returns void
  language plpgsql set search_path = pg_catalog as $$
begin
  raise '%: %', place, why using errcode = 'CV003';
end $$;

-- Rows that a schema change filled or converted, which no trigger sees.
create or replace function convoy.read_back(t convoy.user_table) returns void
  language plpgsql set search_path = pg_catalog as $$
declare
  found boolean;
begin
  if not convoy.is_doubtful_table(t.oid) then return; end if;
  execute format('select exists (select from public.%I r where %s)', t.name, convoy.unreadable(t.name)) into found;
  if found then perform convoy.refuse_unreadable(t.name); end if;
exception when data_exception or syntax_error or program_limit_exceeded then
  perform convoy.refuse_unreadable(t.name, sqlerrm);
end $$;

-- Looks at what is new, and notes that it was looked at.
create or replace function convoy.examine_new(is_master boolean, statement text) returns void
  language plpgsql set search_path = pg_catalog as $$
declare
  fresh text[] := '{}';
  x record;
  why text;
begin
  for x in select v.* from convoy.value_place v where not exists (select from convoy.examined e where e.key = v.key) loop
    fresh := fresh || x.key;
    continue when not is_master;
    select convoy.type_fault(h.id) into why from convoy.types_in(x.type) h (id) where convoy.type_fault(h.id) is not null limit 1;
    why := coalesce(why, convoy.collation_fault(x.collation_id));
    if why is not null then raise '%: %', x.place, why using errcode = 'CV005'; end if;
  end loop;
  for x in select k.* from convoy.key_place k where not exists (select from convoy.examined e where e.key = k.key) loop
    fresh := fresh || x.key;
    continue when not is_master;
    if x.is_hash then why := convoy.hash_fault(x.opclass); end if;
    why := coalesce(why, convoy.collation_fault(x.collation_id));
    if why is not null then raise '%: %', x.place, why using errcode = 'CV005'; end if;
  end loop;
  for x in select s.*, k.key from convoy.stored_expression s cross join lateral (select md5(s.is_everywhere || s.tree)) k (key)
    where not exists (select from convoy.examined e where e.key = k.key)
  loop
    fresh := fresh || x.key;
    continue when not is_master;
    why := case when x.is_everywhere then convoy.tree_fault(x.tree) end;
    if why is null and convoy.holds_instant(x.tree) and convoy.names_clock(statement) then
      why := 'write now() or current_date, not a constant such as ''now''';
    end if;
    if why is not null then perform convoy.refuse_varying(x.place, why); end if;
  end loop;
  if fresh <> '{}' then insert into convoy.examined select distinct k from unnest(fresh) k on conflict do nothing; end if;
end $$;

-- What the rows that exist get in a new column, in which each worker evaluates it.
create or replace function convoy.fill_fault(tbl oid, col int2) returns text
  language sql stable set search_path = pg_catalog as $$
  select case when a.attidentity <> '' then 'an identity gives other values on each worker'
    else convoy.tree_fault(coalesce(d.adbin::text, (
      -- A domain's own default, or its base's.
      with recursive base (id, tree, depth) as (
        select t.oid, t.typdefaultbin::text, 0 from pg_type t where t.oid = a.atttypid
        union all select t.oid, t.typdefaultbin::text, b.depth + 1
          from base b join pg_type y on y.oid = b.id join pg_type t on t.oid = y.typbasetype where b.tree is null)
      select tree from base where tree is not null order by depth limit 1))) end
  from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum and a.attgenerated = ''
  where a.attrelid = tbl and a.attnum = col
$$;

-- A conversion of a column, ALTER ... TYPE with its USING, is in no catalog. So the worker asks for it
-- before the statement itself (conversions.ts): as a view, whose tree is read, and that is undone.
-- Runs as the role of the application, and reads nothing but a tree.
create or replace function convoy.examine_conversion(statement text, conversions text[]) returns void
  language plpgsql set search_path = pg_catalog, public as $$
declare
  i int;
  tree text;
  why text;
begin
  delete from convoy.conversion;
  for i in 1 .. array_length(conversions, 1) loop
    begin
      -- What is wrong with it, the statement itself will say.
      execute format('create view public.convoy_conversion as select cast((%s'|| chr(10) || ') as %s) as value from %s',
        conversions[i][1], conversions[i][2], conversions[i][3]);
      select r.ev_action::text into tree from pg_rewrite r where r.ev_class = 'public.convoy_conversion'::regclass;
      raise sqlstate 'CV199';
    exception
      when sqlstate 'CV199' then null;
      when query_canceled then raise;
      when others then return;
    end;
    why := convoy.tree_fault(tree);
    if why is null and convoy.holds_instant(tree) and convoy.names_clock(statement) then
      why := 'a constant such as ''now'' is another one on each worker';
    end if;
    if why is not null then
      raise 'the conversion of a column may come out otherwise on each worker: %', why
        using errcode = 'CV003', hint = 'add a column of the new type, update the rows, drop the old column and rename';
    end if;
  end loop;
  insert into convoy.conversion values (md5(statement));
end $$;

-- Rows are converted only as was looked at.
create or replace function convoy.before_rewrite() returns event_trigger
  language plpgsql security definer set search_path = pg_catalog as $$
begin
  -- Bit 4: a column's type. Each table of a partitioned one comes by itself.
  if session_user = 'convoy_app' and pg_event_trigger_table_rewrite_reason() & 4 <> 0
    and not exists (select from convoy.conversion c where c.statement = md5(current_query()))
  then
    raise 'the conversion of a column could not be read' using errcode = 'CV003';
  end if;
end $$;

do $$
begin
  if not exists (select from pg_event_trigger where evtname = 'convoy_4_rewrite') then
    create event trigger convoy_4_rewrite on table_rewrite execute function convoy.before_rewrite();
  end if;
end $$;

revoke execute on all functions in schema convoy from public;
grant execute on function convoy.trusted, convoy.examine_conversion, convoy.tree_nodes, convoy.tree_fault, convoy.types_in,
  convoy.is_of_worker, convoy.reads_clock, convoy.is_settled, convoy.function_fault, convoy.reading_fault,
  convoy.is_built_in, convoy.types_named, convoy.holds_instant, convoy.collation_fault, convoy.names_clock,
  convoy.type_fault, convoy.refuse_unreadable to convoy_app;
