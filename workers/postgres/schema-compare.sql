-- What two workers compare beside their rows: every object of the schema as the digest of its
-- definition, and what a worker can find wrong with its own data alone. Written anew at each
-- start of a worker. Names are those of `public`; object identifiers, which differ from worker to
-- worker, are in no digest.

-- Of PostgreSQL's own extensions: compares an index with its table. Without it this is left out.
do $$
begin
  if exists (select from pg_available_extensions where name = 'amcheck') then
    create extension if not exists amcheck schema convoy;
    grant execute on function convoy.bt_index_check(regclass, boolean) to convoy_owner;
  end if;
end $$;

set role convoy_owner;

-- Views, read by functions in plpgsql, which keep their plans: functions in SQL would be planned
-- anew at each call, for longer than they run.

create or replace view convoy.relation_object as
  select case c.relkind when 'v' then 'view' when 'S' then 'sequence' when 'c' then 'type' else 'table' end as kind,
    c.relname::text as name,
    jsonb_build_array(c.relkind, c.relpersistence, pg_get_userbyid(c.relowner), c.reloptions,
      (select array_agg(x::text order by x::text) from unnest(c.relacl) x),
      c.relrowsecurity, c.relforcerowsecurity,
      (select jsonb_agg(i.inhparent::regclass::text order by i.inhseqno) from pg_catalog.pg_inherits i
        where i.inhrelid = c.oid),
      pg_get_expr(c.relpartbound, c.oid),
      case c.relkind when 'p' then pg_get_partkeydef(c.oid) when 'v' then pg_get_viewdef(c.oid) end,
      case c.relkind when 'S' then (
        select jsonb_build_array(format_type(s.seqtypid, null), s.seqstart, s.seqincrement, s.seqmax,
          s.seqmin, s.seqcache, s.seqcycle, (
            select string_agg(format('%s.%s', d.refobjid::regclass, d.refobjsubid), ',') from pg_catalog.pg_depend d
            where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype in ('a', 'i')
              and d.refclassid = 'pg_class'::regclass))
        from pg_catalog.pg_sequence s where s.seqrelid = c.oid)
        -- The columns in their order: all that decides how a row is kept and what it may hold.
        else (
        select jsonb_agg(jsonb_build_array(a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
            (select l.collname from pg_catalog.pg_collation l where l.oid = a.attcollation),
            a.attidentity, a.attgenerated, pg_get_expr(d.adbin, d.adrelid), a.attstorage,
            a.attcompression, a.attacl::text) order by a.attnum)
        from pg_catalog.pg_attribute a
        left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) end) as definition
  from pg_catalog.pg_class c
  where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'S', 'c', 'f', 'm');

-- The constraints of a domain are part of it.
create or replace view convoy.type_object as
  select 'type' as kind, t.typname::text as name, jsonb_build_array(t.typtype, pg_get_userbyid(t.typowner), t.typacl::text,
    (select jsonb_agg(e.enumlabel order by e.enumsortorder) from pg_catalog.pg_enum e where e.enumtypid = t.oid),
    case when t.typtype = 'd' then jsonb_build_array(format_type(t.typbasetype, t.typtypmod),
      t.typnotnull, pg_get_expr(t.typdefaultbin, 0),
      (select c.collname from pg_catalog.pg_collation c where c.oid = t.typcollation)) end,
    (select jsonb_agg(jsonb_build_array(c.conname, pg_get_constraintdef(c.oid)) order by c.conname)
      from pg_catalog.pg_constraint c where c.contypid = t.oid),
    (select jsonb_build_array(format_type(r.rngsubtype, null), r.rngmultitypid::regtype::text,
        r.rngcanonical::text, r.rngsubdiff::text,
        (select c.collname from pg_catalog.pg_collation c where c.oid = r.rngcollation),
        (select o.opcname from pg_catalog.pg_opclass o where o.oid = r.rngsubopc))
      from pg_catalog.pg_range r where r.rngtypid = t.oid)) as definition
  from pg_catalog.pg_type t
  where t.typnamespace = 'public'::regnamespace and t.typtype in ('e', 'd', 'r');

create or replace view convoy.dependent_object as
  select 'index' as kind, x.relname::text as name, jsonb_build_array(pg_get_indexdef(x.oid), i.indisvalid, i.indisready,
      i.indislive, x.reloptions, (
        select p.inhparent::regclass::text from pg_catalog.pg_inherits p where p.inhrelid = x.oid)) as definition
    from pg_catalog.pg_index i join pg_catalog.pg_class x on x.oid = i.indexrelid
    where x.relnamespace = 'public'::regnamespace
  union all
  select 'constraint', format('%I.%I', t.relname, c.conname), jsonb_build_array(
      c.contype, pg_get_constraintdef(c.oid), c.condeferrable, c.convalidated, c.conparentid <> 0)
    from pg_catalog.pg_constraint c join pg_catalog.pg_class t on t.oid = c.conrelid
    where t.relnamespace = 'public'::regnamespace
  union all
  select 'trigger', format('%I.%I', t.relname, g.tgname),
      jsonb_build_array(pg_get_triggerdef(g.oid), g.tgenabled)
    from pg_catalog.pg_trigger g join pg_catalog.pg_class t on t.oid = g.tgrelid join pg_catalog.pg_proc p on p.oid = g.tgfoid
    where t.relnamespace = 'public'::regnamespace and not g.tgisinternal
      and p.pronamespace <> 'convoy'::regnamespace
  union all
  select 'function', p.oid::regprocedure::text, jsonb_build_array(p.prosrc, p.provolatile, p.prosecdef)
    from pg_catalog.pg_proc p where p.pronamespace = 'public'::regnamespace and not exists (
      -- The constructors of a range type are made with it.
      select from pg_catalog.pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid
        and d.refclassid = 'pg_type'::regclass and d.deptype = 'i');

create or replace view convoy.object as
  select o.kind, o.name, left(encode(sha256(convert_to(o.definition::text, 'UTF8')), 'hex'), 20) as digest
  from (
    select * from convoy.relation_object
    union all select * from convoy.type_object
    union all select * from convoy.dependent_object) o;

-- What rows without a value of their own show in a column that was added to them. Gone as soon as
-- a table is written anew, which one worker may do by itself (VACUUM FULL): so only compared
-- where a schema change has just put it there.
create or replace view convoy.fill as
  select 'default' as kind, format('%I.%I', c.relname, a.attname) as name,
    left(encode(sha256(convert_to(a.attmissingval::text, 'UTF8')), 'hex'), 20) as digest
  from pg_catalog.pg_attribute a join pg_catalog.pg_class c on c.oid = a.attrelid
  where c.relnamespace = 'public'::regnamespace and a.atthasmissing and not a.attisdropped;

-- For each table that holds rows, a text that stays the same as long as no statement changed what
-- its rows show: the file they lie in, their columns, every type that these are made of, and the
-- table they are a partition of. To be compared on one worker within one transaction only.
create or replace view convoy.shape as
  with recursive
    holder as (
      select c.oid, c.relname, c.relfilenode, pg_get_expr(c.relpartbound, c.oid) as bound
      from pg_catalog.pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind = 'r'),
    -- Types of PostgreSQL's own never change.
    part (typ, of) as (
      select a.atttypid, a.atttypid from holder h join pg_catalog.pg_attribute a on a.attrelid = h.oid
      where a.attnum > 0 and a.atttypid >= 16384
      union
      select p.typ, x.of from part p join pg_catalog.pg_type t on t.oid = p.of
        cross join lateral (
          select t.typelem as of union all select t.typbasetype
          union all select a.atttypid from pg_catalog.pg_attribute a where a.attrelid = t.typrelid
            and a.attnum > 0 and not a.attisdropped
          union all select r.rngsubtype from pg_catalog.pg_range r where t.oid in (r.rngtypid, r.rngmultitypid)) x
        where x.of >= 16384),
    made as (
      select p.typ, string_agg(concat_ws(' ', t.oid, t.typbasetype, t.typtypmod, (
          select string_agg(e.enumlabel, ',' order by e.enumsortorder) from pg_catalog.pg_enum e
          where e.enumtypid = t.oid), (
          select jsonb_agg(jsonb_build_array(a.attnum, a.atttypid, a.atttypmod, a.attisdropped)
            order by a.attnum) from pg_catalog.pg_attribute a where a.attrelid = t.typrelid and a.attnum > 0)
        ), ';' order by t.oid) as of
      from part p join pg_catalog.pg_type t on t.oid = p.of group by p.typ)
  select h.relname::text as name, concat(h.oid, '/', h.relfilenode) as file,
    left(encode(sha256(convert_to(concat_ws(' ', h.bound, (
      select string_agg(i.inhparent::text, ',' order by i.inhseqno) from pg_catalog.pg_inherits i
      where i.inhrelid = h.oid), (
      select jsonb_agg(jsonb_build_array(a.attnum, a.atttypid, a.atttypmod, a.attisdropped,
        a.attgenerated, a.attmissingval::text, m.of) order by a.attnum)
      from pg_catalog.pg_attribute a left join made m on m.typ = a.atttypid
      where a.attrelid = h.oid and a.attnum > 0)), 'UTF8')), 'hex'), 20) as shape,
    pg_table_size(h.oid) as bytes
  from holder h;

-- Faults ----------------------------------------------------------------------------
-- What is wrong whatever other workers have: told by the master of itself, too.

-- A table or an event that is not captured: what a master writes there would reach no replica.
create or replace function convoy.capture_faults() returns table (name text, found text)
  language sql stable set search_path = pg_catalog as $$
  select format('trigger %I.%I', c.relname, w.name),
    case when g.oid is null then 'is missing' when g.tgenabled <> 'O' then 'is not enabled'
      else 'runs another function' end
  from pg_class c
  cross join (values ('convoy_insert', 'capture_insert'), ('convoy_update', 'capture_update'),
    ('convoy_truncate', 'capture_truncate'), ('convoy_delete', 'keys_'), ('convoy_keys', 'keys_')) w (name, runs)
  left join pg_trigger g on g.tgrelid = c.oid and g.tgname = w.name and not g.tgisinternal
  left join pg_proc p on p.oid = g.tgfoid and p.pronamespace = 'convoy'::regnamespace
  where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
    and (g.oid is null or g.tgenabled <> 'O'
      or p.proname is distinct from case w.runs when 'keys_' then 'keys_' || c.oid else w.runs end)
  union all
  select format('trigger %I.%I', c.relname, g.tgname), 'is not enabled'
  from pg_trigger g join pg_class c on c.oid = g.tgrelid
  where c.relnamespace = 'public'::regnamespace and not g.tgisinternal and g.tgenabled <> 'O'
    and g.tgname ~ '^convoy_'
    and g.tgname not in ('convoy_insert', 'convoy_update', 'convoy_delete', 'convoy_truncate', 'convoy_keys')
  union all
  select format('event trigger %I', w.name),
    case when e.oid is null then 'is missing' else 'is not always enabled' end
  from unnest(array['convoy_1_check', 'convoy_2_write', 'convoy_3_trigger']) w (name)
  left join pg_event_trigger e on e.evtname = w.name
  where e.oid is null or e.evtenabled <> 'A'
$$;

-- Lengths as JavaScript counts them, which made the checksums.
create or replace function convoy.utf16_length(t text) returns int4 language sql immutable as $$
  select case when pg_catalog.octet_length(t) = pg_catalog.length(t) then pg_catalog.length(t)
    else pg_catalog.length(t) + pg_catalog.regexp_count(t, '[\U00010000-\U0010FFFF]') end
$$;

-- As older versions had them.
drop function if exists convoy.log_faults(int8, int8);
drop function if exists convoy.index_faults();
drop function if exists convoy.inspect(text, int8, int8);

-- The entries behind `after`, up to `upto`: none is missing, each has the checksum that follows
-- from the one before it (entry.ts), and is found by its request (request-key.ts). The first few
-- faults only: they come in crowds.
create or replace function convoy.faults_of_log(after int8, upto int8)
  returns table (name text, found text)
  language sql stable set search_path = pg_catalog set enable_seqscan = off as $$
  with
    oldest as (select greatest(p.index, after) as index, p.index as pruned, p.checksum
      from convoy.pruned p),
    held as (
      select l.*, lag(l.index) over w as before, lag(l.checksum) over w as previous
      from convoy.log l where l.index >= (select o.index from oldest o) and l.index <= upto
      window w as (order by l.index)),
    checked as (
      select h.index, h.checksum, h.request_id, h.request_key, coalesce(h.before, o.pruned) as before,
        concat(coalesce(h.previous, o.checksum), '|', h.index, '|', h.term, '|', h.status, '|', h.command_hash,
          '|', convoy.utf16_length(h.request_id), '|', convoy.utf16_length(h.changes), '|',
          h.request_id, h.changes, h.result) as said
      from held h cross join oldest o
      -- The first one has nothing before it here, unless the log is held from its beginning.
      where h.before is not null or h.index = o.pruned + 1),
    faults as (
      select c.index, case
        when c.before <> c.index - 1 then format('entries from %s on are missing', c.before + 1)
        when c.checksum <> translate(left(encode(sha256(convert_to(c.said, 'UTF8')), 'base64'), 22), '+/', '-_')
          then 'is not what its checksum says'
        when c.request_key is distinct from case when c.request_id = '' then null
            when convoy.utf16_length(c.request_id) <= 120 then '=' || c.request_id
            else '#' || rtrim(translate(replace(encode(
              sha256(convert_to(c.request_id, 'UTF8')), 'base64'), E'\n', ''), '+/', '-_'), '=') end
          then 'is not found by its request' end as found
      from checked c
      union all
      select upto, format('the log ends at %s', greatest((select max(h.index) from held h), o.index))
      from oldest o where upto > o.pruned and not exists (select from held h where h.index = upto))
  select 'log entry ' || f.index, f.found from faults f where f.found is not null order by f.index limit 5
$$;

create or replace function convoy.log_faults(secret text, after int8, upto int8)
  returns table (name text, found text)
  language plpgsql security definer set search_path = pg_catalog as $$
begin
  if not convoy.trusted(secret) then raise insufficient_privilege; end if;
  return query select * from convoy.faults_of_log(after, upto);
end $$;

-- What is wrong where an index does not hold what its table holds: reads through it would miss rows.
create or replace function convoy.index_fault(secret text, index_name text) returns text
  language plpgsql security definer set search_path = pg_catalog as $$
declare
  x oid;
begin
  if not convoy.trusted(secret) then raise insufficient_privilege; end if;
  if not exists (select from pg_extension e where e.extname = 'amcheck') then return null; end if;
  select c.oid into x from pg_index i join pg_class c on c.oid = i.indexrelid
    join pg_am m on m.oid = c.relam
    where c.relnamespace = 'public'::regnamespace and c.relname = index_name and c.relkind = 'i'
      and m.amname = 'btree' and i.indisvalid and i.indisready;
  if x is null then return null; end if;
  execute 'select convoy.bt_index_check($1, true)' using x::regclass;
  return null;
exception when data_corrupted or index_corrupted then
  return sqlerrm;
end $$;

-- All that a verification looks at in the schema.
create or replace function convoy.inspect(secret text)
  returns table (kind text, name text, digest text)
  language plpgsql security definer set search_path = pg_catalog as $$
begin
  if not convoy.trusted(secret) then raise insufficient_privilege; end if;
  return query select * from convoy.object
    union all select 'fault', f.name, f.found from convoy.capture_faults() f;
end $$;

-- What a schema change may have changed: compared before and after it.
create or replace function convoy.definitions(secret text)
  returns table (kind text, name text, digest text)
  language plpgsql security definer set search_path = pg_catalog as $$
begin
  if not convoy.trusted(secret) then raise insufficient_privilege; end if;
  return query select * from convoy.object union all select * from convoy.fill;
end $$;

-- Those of these names, whatever their kinds. Only these are written out.
create or replace function convoy.definitions_of(secret text, names text[])
  returns table (kind text, name text, digest text)
  language plpgsql security definer set search_path = pg_catalog set plan_cache_mode = force_generic_plan as $$
begin
  if not convoy.trusted(secret) then raise insufficient_privilege; end if;
  return query select o.* from convoy.object o where o.name = any (names)
    union all select f.* from convoy.fill f where f.name = any (names);
end $$;

create or replace function convoy.table_shapes(secret text)
  returns table (name text, file text, shape text, bytes int8)
  language plpgsql security definer set search_path = pg_catalog as $$
begin
  if not convoy.trusted(secret) then raise insufficient_privilege; end if;
  return query select * from convoy.shape;
end $$;

revoke execute on function convoy.capture_faults, convoy.utf16_length, convoy.index_fault, convoy.log_faults,
  convoy.faults_of_log, convoy.inspect, convoy.definitions, convoy.definitions_of, convoy.table_shapes from public;
grant execute on function convoy.inspect, convoy.index_fault, convoy.log_faults, convoy.definitions, convoy.definitions_of, convoy.table_shapes to convoy_app, convoy_apply;

reset role;
