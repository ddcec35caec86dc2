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
  language plpgsql stable set search_path = pg_catalog as $$
begin
  return (select format('HASH by values of type %s puts rows elsewhere on each worker: take LIST or RANGE',
      replace(c.opcintype::regtype::text, 'any', ''))
    from pg_opclass c left join pg_amproc p on p.amprocfamily = c.opcfamily and p.amprocnum = 2
      and p.amproclefttype = c.opcintype and p.amprocrighttype = c.opcintype
    where c.oid = opclass and (p.amproc is null or p.amproc::oid >= 16384 or p.amproc::text !~ ('^(hashint2|hashint4'
      || '|hashint8|hashoid|hashtext|hashbpchar|hashchar|hashname|hashvarlena|hashfloat4|hashfloat8|hash_numeric_|timestamp_hash_'
      || '|time_hash_|timetz_hash_|interval_hash_|uuid_hash_|hashinet|hashmacaddr|hashmacaddr8|jsonb_hash_|pg_lsn_hash_)extended$')));
end $$;

-- Columns of tables and composite types, elements of ranges, bases of domains.
create or replace view convoy.place_of_values as
  select format('column "%s" of "%s"', a.attname, c.relname) as place, a.atttypid as type, a.attcollation as collation_id,
    0::oid as hash_by, format('column %s %s %s', c.oid, a.attnum, a.atttypid) as key
  from pg_catalog.pg_class c join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'c')
  union all
  select format('type "%s"', t.typname), coalesce(r.rngsubtype, t.typbasetype), coalesce(r.rngcollation, t.typcollation),
    0, format('type %s', t.oid)
  from pg_catalog.pg_type t left join pg_catalog.pg_range r on r.rngtypid = t.oid
  where t.typnamespace = 'public'::regnamespace and t.typtype in ('r', 'd');

-- Partition keys, with the operator class of those that are hashed, and indexes.
create or replace view convoy.place_of_keys as
  select format('partition key of "%s"', c.relname) as place, 25::oid as type, k.collation_id,
    case p.partstrat when 'h' then k.opclass else 0 end as hash_by, format('key %s %s', c.oid, k.i) as key
  from pg_catalog.pg_partitioned_table p join pg_catalog.pg_class c on c.oid = p.partrelid
  cross join lateral unnest(p.partclass::oid[], p.partcollation::oid[]) with ordinality k (opclass, collation_id, i)
  where c.relnamespace = 'public'::regnamespace
  union all
  select format('index "%s"', c.relname), 25, k.collation_id, 0, format('index %s %s', c.oid, k.i)
  from pg_catalog.pg_index x join pg_catalog.pg_class c on c.oid = x.indexrelid
  cross join lateral unnest(x.indcollation::oid[]) with ordinality k (collation_id, i)
  where c.relnamespace = 'public'::regnamespace and k.collation_id <> 0;

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

-- Rows that a schema change filled or converted, which no trigger sees.
create or replace function convoy.read_back(t convoy.user_table) returns void
  language plpgsql set search_path = pg_catalog as $$
declare
  found boolean;
begin
  if not t.is_doubtful then return; end if;
  execute format('select exists (select from public.%I r where %s)', t.name, convoy.unreadable(t.name)) into found;
  if found then perform convoy.refuse_unreadable(t.name); end if;
exception when data_exception or syntax_error or program_limit_exceeded then
  perform convoy.refuse_unreadable(t.name, sqlerrm);
end $$;

-- Looks at what is new, and notes that it was looked at.
create or replace function convoy.examine_new(is_master boolean, statement text) returns void
  language plpgsql set search_path = pg_catalog as $$
declare
  x record;
  why text;
  names_clock boolean;
  fresh text[] := '{}';
begin
  for x in select v.* from convoy.place_of_values v where not exists (select from convoy.examined e where e.key = v.key)
    union all
    select k.* from convoy.place_of_keys k where not exists (select from convoy.examined e where e.key = k.key)
  loop
    fresh := fresh || x.key;
    continue when not is_master;
    -- Most columns are of one of these; all are on the list.
    if x.type not in (16, 20, 21, 23, 25, 1043, 1082, 1114, 1184, 1700, 2950, 3802) then why := convoy.type_fault(array[x.type]); end if;
    if x.hash_by <> 0 then why := coalesce(why, convoy.hash_fault(x.hash_by)); end if;
    if x.collation_id not in (0, 100) then why := coalesce(why, convoy.collation_fault(array[x.collation_id])); end if;
    if why is not null then raise '%: %', x.place, why using errcode = 'CV005'; end if;
  end loop;
  for x in select * from convoy.stored_expression s
    where not exists (select from convoy.examined e where e.key = md5(s.is_everywhere || s.tree))
  loop
    fresh := fresh || md5(x.is_everywhere || x.tree);
    continue when not is_master;
    names_clock := coalesce(names_clock, convoy.names_clock(statement));
    if x.is_everywhere then why := convoy.tree_fault(x.tree); end if;
    if why is null and names_clock and convoy.holds_instant(x.tree) then
      why := 'write now() or current_date, not a constant such as ''now''';
    end if;
    if why is not null then raise '%: %', x.place, why using errcode = 'CV003'; end if;
  end loop;
  if fresh <> '{}' then insert into convoy.examined select distinct k from unnest(fresh) k on conflict do nothing; end if;
end $$;

-- What the rows that exist get in a new column, in which each worker evaluates it.
create or replace function convoy.fill_fault(tbl oid, col int2) returns text
  language plpgsql stable set search_path = pg_catalog as $$
declare
  a pg_attribute;
  tree text;
  base oid;
begin
  select * into strict a from pg_attribute x where x.attrelid = tbl and x.attnum = col;
  if a.attidentity <> '' then return 'an identity gives other values on each worker'; end if;
  select d.adbin::text into tree from pg_attrdef d where d.adrelid = tbl and d.adnum = col;
  -- A domain has a default of its own, or its base's.
  base := a.atttypid;
  while tree is null and base <> 0 loop
    select t.typdefaultbin::text, t.typbasetype into tree, base from pg_type t where t.oid = base;
  end loop;
  return convoy.tree_fault(tree);
end $$;

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
grant execute on function convoy.trusted, convoy.examine_conversion, convoy.node_texts, convoy.tree_fault, convoy.types_in(oid[]),
  convoy.type_fault(oid[]), convoy.function_fault(oid[]), convoy.collation_fault(oid[]), convoy.reads_clock(oid[]),
  convoy.holds_instant, convoy.names_clock, convoy.refuse_unreadable to convoy_app;
