-- Event triggers: every schema change gives the tables of `public` their capture
-- triggers, checks that each of them can be replicated, and is itself written down.
-- They are ALWAYS on, on a replica too: tables made there must be captured after a
-- promotion. Owned by the set-up role; they run nothing but catalog look-ups and
-- statements of their own with quoted names.

-- Columns seen so far: what a schema change added is what is not yet here.
create table if not exists convoy.known_column (
  tbl oid,
  col int2,
  primary key (tbl, col)
);

-- As what a table has its triggers: they are made anew when that changes.
create table if not exists convoy.attached (
  tbl oid primary key,
  shape text not null
);

-- Written anew at each start of a worker, so that what holds is of its own version.
create or replace view convoy.user_table as
  select c.oid, c.relname as name, c.relkind as kind, c.relpersistence as persistence,
    c.relispartition as is_partition, p.conname as key_name, p.conkey as key,
    c.oid = any ((select convoy.doubtful_tables())::oid[]) as is_doubtful
  from pg_catalog.pg_class c
  left join pg_catalog.pg_constraint p on p.conrelid = c.oid and p.contype = 'p'
  where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'f', 'm');

-- Old keys of deleted rows, and of updated ones where the key changed. Written anew when
-- the key's columns are named otherwise.
create or replace function convoy.attach(tbl oid) returns void
  language plpgsql set search_path = pg_catalog as $$
declare
  t convoy.user_table;
  keys_function text := format('keys_%s', tbl);
  old_key text;
  key_changed text;
  rows_of text;
begin
  select * into strict t from convoy.user_table u where u.oid = attach.tbl;
  select string_agg('%1$s.' || replace(quote_ident(a.attname), '%', '%%'), ', ' order by k.i),
      string_agg(format('old.%1$I is distinct from new.%1$I', a.attname), ' or ' order by k.i)
    into strict old_key, key_changed
    from unnest(t.key) with ordinality k (col, i)
    join pg_attribute a on a.attrelid = t.oid and a.attnum = k.col;
  execute format('create or replace function convoy.%I() returns trigger
    language plpgsql security definer set search_path = pg_catalog as %L', keys_function, format($f$
    begin
      if tg_level = 'ROW' then
        insert into convoy.change (index, op, tbl, rows)
          values (current_setting('convoy.index')::int8, 'k', tg_table_name, array[row(%s)::text]);
      else
        insert into convoy.change (index, op, tbl, rows)
          select current_setting('convoy.index')::int8, case tg_op when 'DELETE' then 'd' else 'k' end,
            tg_table_name, convoy.bounded(x.keys)
          from (select array_agg(row(%s)::text) as keys from old_rows r) x where x.keys is not null;
      end if;
      return null;
    end $f$, format(old_key, 'old'), format(old_key, 'r')));
  execute format('alter function convoy.%I() owner to convoy_owner', keys_function);
  execute format('revoke execute on function convoy.%I() from public', keys_function);
  rows_of := format('on public.%I referencing', t.name);
  execute format('create or replace trigger convoy_insert after insert %s new table as new_rows
    for each statement execute function convoy.capture_insert()', rows_of);
  execute format('create or replace trigger convoy_update after update %s new table as new_rows
    for each statement execute function convoy.capture_update()', rows_of);
  execute format('create or replace trigger convoy_delete after delete %s old table as old_rows
    for each statement execute function convoy.%I()', rows_of, keys_function);
  execute format('create or replace trigger convoy_truncate after truncate on public.%I
    for each statement execute function convoy.capture_truncate()', t.name);
  if t.is_doubtful then
    execute format('create or replace function convoy.%I() returns trigger
      language plpgsql set search_path = pg_catalog as %L', format('proof_%s', tbl), format($f$
      begin
        if exists (select from new_rows r where %s) then perform convoy.refuse_unreadable(%L); end if;
        return null;
      exception when data_exception or syntax_error or program_limit_exceeded then
        perform convoy.refuse_unreadable(%2$L, sqlerrm);
      end $f$, convoy.unreadable(t.name), t.name));
    execute format('revoke execute on function convoy.%I() from public', format('proof_%s', tbl));
    execute format('create or replace trigger convoy_proof_insert after insert %s new table as new_rows
      for each statement execute function convoy.%I()', rows_of, format('proof_%s', tbl));
    execute format('create or replace trigger convoy_proof_update after update %s new table as new_rows
      for each statement execute function convoy.%I()', rows_of, format('proof_%s', tbl));
  end if;
  -- A row that moves between partitions is no UPDATE to a row trigger: there, all old keys.
  -- Fires before convoy_update, by its name.
  if t.kind = 'p' or t.is_partition then
    execute format('create or replace trigger convoy_keys after update %s old table as old_rows
      for each statement execute function convoy.%I()', rows_of, keys_function);
  else
    execute format('create or replace trigger convoy_keys after update on public.%I for each row
      when (%s) execute function convoy.%I()', t.name, key_changed, keys_function);
  end if;
end $$;

-- Names and key of a table, which its triggers are made of; null where one of them is missing.
create or replace view convoy.table_shape as
  with u as materialized (select * from convoy.user_table)
  -- Proofs stay when the columns they were for have gone.
  select u.oid, case when (
      select count(*) from pg_catalog.pg_trigger g where g.tgrelid = u.oid and not g.tgisinternal
        and (g.tgname in ('convoy_insert', 'convoy_update', 'convoy_delete', 'convoy_truncate', 'convoy_keys')
          or u.is_doubtful and g.tgname in ('convoy_proof_insert', 'convoy_proof_update'))
    ) >= (case when u.is_doubtful then 7 else 5 end)
    then jsonb_build_array(u.name, u.kind, u.is_partition, (
      select jsonb_agg(a.attname order by k.i) from unnest(u.key) with ordinality k (col, i)
      join pg_catalog.pg_attribute a on a.attrelid = u.oid and a.attnum = k.col), u.is_doubtful)::text end as shape
  from u;

create or replace function convoy.check_tables() returns void
  language plpgsql set search_path = pg_catalog as $$
declare
  x record;
begin
  select * into x from (
    select t.name, case
      when t.kind in ('f', 'm') then 'is foreign or materialized: its rows cannot be replicated'
      when t.persistence <> 'p' then 'is unlogged: its rows would be lost in a crash'
      when t.key is null then 'needs a primary key: rows are replicated by it'
      when not t.is_partition and exists (select from pg_inherits i where i.inhrelid = t.oid)
        then 'inherits from another: columns of its own would be lost'
      when exists (select from pg_constraint c where c.conrelid = t.oid and c.confrelid = t.oid
          and c.confupdtype <> 'a' and c.confupdtype <> 'r' and c.conkey && t.key)
        then 'refers to itself by its key and follows changes: its old keys could not be told'
      when exists (select from pg_constraint c where c.conrelid = t.oid and c.condeferrable)
        then 'has a deferrable constraint: it would be checked only when other commands commit'
      when exists (select from pg_trigger g where g.tgrelid = t.oid and not g.tgisinternal
          and g.tgenabled <> 'O') then 'must be captured: its triggers stay enabled'
      when exists (select from pg_rewrite r where r.ev_class = t.oid) then 'has a rule'
    end as fault, t.key is null and t.kind not in ('f', 'm') and t.persistence = 'p' as is_without_key
    from convoy.user_table t) y
  where y.fault is not null limit 1;
  if found then
    raise 'table "%" %', x.name, x.fault
      using errcode = case when x.is_without_key then 'CV001' else 'CV002' end;
  end if;
end $$;

-- A column added to rows that exist gets its default in each of them, there and then: one that is
-- not the same everywhere would make workers differ. PostgreSQL keeps such a value for an empty table
-- as well, in pg_attribute.
create or replace function convoy.check_new_columns(t convoy.user_table) returns void
  language plpgsql set search_path = pg_catalog as $$
declare
  col name;
  why text;
begin
  if not exists (select from convoy.known_column k where k.tbl = t.oid) then return; end if;
  select x.attname, x.fault into col, why from (
    select a.attname, convoy.fill_fault(t.oid, a.attnum) as fault from pg_attribute a
    where a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
      and not exists (select from convoy.known_column k where k.tbl = t.oid and k.col = a.attnum)) x
    order by x.fault nulls last limit 1;
  if why is not null then
    raise 'column "%" of table "%" cannot be added with a default that varies: %', col, t.name, why
      using errcode = 'CV003', hint = 'add it without a default, then set the default, and update the rows';
  end if;
  if col is not null then perform convoy.read_back(t); end if;
end $$;

-- Looks at all tables with a few queries, not at each by itself: functions of theirs for each of 100
-- tables took 80 ms. @param touched what the schema change made or altered
create or replace function convoy.settle_schema(is_master boolean, touched oid[]) returns void
  language plpgsql set search_path = pg_catalog as $$
declare
  t convoy.user_table;
  x oid;
  unattached oid[];
  orphan regprocedure;
  converts boolean := is_master and exists (select from convoy.conversion c where c.statement = md5(current_query()));
begin
  perform convoy.examine_new(is_master, current_query());
  perform convoy.check_tables();
  if is_master then
    for t in select u.* from convoy.user_table u
      where exists (select from convoy.known_column k where k.tbl = u.oid)
        and exists (select from pg_attribute a where a.attrelid = u.oid and a.attnum > 0 and not a.attisdropped
          and not exists (select from convoy.known_column k where k.tbl = u.oid and k.col = a.attnum))
    loop
      perform convoy.check_new_columns(t);
    end loop;
  end if;
  if converts then
    for t in select u.* from convoy.user_table u where u.oid = any (touched) loop
      perform convoy.read_back(t);
    end loop;
  end if;
  unattached := array(select s.oid from convoy.table_shape s where not exists (
    select from convoy.attached a where a.tbl = s.oid and a.shape = s.shape));
  if unattached <> '{}' then
    foreach x in array unattached loop
      perform convoy.attach(x);
    end loop;
    insert into convoy.attached select s.oid, s.shape from convoy.table_shape s where s.oid = any (unattached)
      on conflict (tbl) do update set shape = excluded.shape;
  end if;
  insert into convoy.known_column
    select a.attrelid, a.attnum from convoy.user_table u
    join pg_attribute a on a.attrelid = u.oid and a.attnum > 0
    where not exists (select from convoy.known_column k where k.tbl = a.attrelid and k.col = a.attnum)
    on conflict do nothing;
  delete from convoy.known_column k where not exists (select from pg_class c where c.oid = k.tbl);
  delete from convoy.attached a where not exists (select from pg_class c where c.oid = a.tbl);
  for orphan in select p.oid from pg_proc p where p.pronamespace = 'convoy'::regnamespace
    and p.proname ~ '^(keys|proof)_\d+$' and not exists (
      select from convoy.user_table u where u.oid::text = substring(p.proname from '\d+$'))
  loop
    execute format('drop function %s', orphan);
  end loop;
end $$;

create or replace function convoy.after_schema_change() returns event_trigger
  language plpgsql security definer set search_path = pg_catalog as $$
begin
  -- Half a schema of Convoy's own can check nothing (schema.ts).
  if session_user = 'convoy_setup' and current_setting('convoy.preparing', true) = 'on' then return; end if;
  -- Replicas take what the master took.
  perform convoy.settle_schema(session_user = 'convoy_app', array(select d.objid from pg_event_trigger_ddl_commands() d));
end $$;

-- The statement itself goes into the entry: what the user sent, as he sent it.
create or replace function convoy.write_schema_change() returns event_trigger
  language plpgsql security definer set search_path = pg_catalog as $$
begin
  -- A replica has it from its master's entry.
  if session_user <> 'convoy_app' then return; end if;
  insert into convoy.change (index, op, tbl, rows)
    values (current_setting('convoy.index')::int8, 's', '', array[current_query()]);
end $$;

create or replace function convoy.check_new_trigger() returns event_trigger
  language plpgsql security definer set search_path = pg_catalog as $$
begin
  if exists (select from pg_event_trigger_ddl_commands() d join pg_trigger g on g.oid = d.objid
      join pg_proc p on p.oid = g.tgfoid where p.pronamespace <> 'convoy'::regnamespace) then
    raise 'triggers are not replicated' using errcode = 'CV002';
  end if;
end $$;

revoke execute on all functions in schema convoy from public;
