-- Convoy's own schema, roles and walls in a worker's database. Run once, by the
-- set-up role, on a new database; copies bring it along.
--
-- convoy_app    runs users' writes; owns what they create in `public`; cannot see into `convoy`
-- convoy_read   runs users' reads
-- convoy_apply  applies entries and keeps the log; no superuser
-- convoy_owner  owns the functions through which convoy_app's transactions reach the log
-- convoy_clone  copies the whole database
--
-- SQLSTATEs of class CV are Convoy's own; errors.ts tells what becomes of them.

create role convoy_owner nologin;
create role convoy_app login;
create role convoy_read login;
create role convoy_apply login;
create role convoy_clone login replication;
grant convoy_app to convoy_apply;
grant set on parameter session_replication_role to convoy_apply;

-- The walls ---------------------------------------------------------------------

revoke all on database postgres from public;
grant connect on database postgres to convoy_app, convoy_read, convoy_apply;
revoke all on schema public from public;
grant usage, create on schema public to convoy_app;
grant usage on schema public to convoy_read;
alter role convoy_read set default_transaction_read_only = on;
alter default privileges for role convoy_app in schema public grant select on tables to convoy_read;
alter default privileges for role convoy_app in schema public grant select on sequences to convoy_read;

-- Without a language there is no CREATE FUNCTION and no DO.
revoke usage on language sql, plpgsql from public;
grant usage on language sql, plpgsql to convoy_owner;

-- What a worker keeps -----------------------------------------------------------

create schema convoy authorization convoy_owner;
set role convoy_owner;

-- The log, results included. One index finds an entry, another the outcome of a request.
create table convoy.log (
  index int8 primary key,
  term int8 not null,
  request_id text not null,
  -- The id itself, or its digest where that is shorter (log.ts); null for a term's first entry.
  request_key text unique,
  command_hash text not null,
  status int4 not null,
  changes text not null,
  result text not null,
  checksum text not null
);
alter table convoy.log alter column changes set storage extended, alter column result set storage extended;
-- What is let go of leaves at the one end while entries come at the other. A vacuum walks through
-- both indexes, whatever it finds, so it comes late, and slowly: writes need the disk meanwhile.
alter table convoy.log set (
  autovacuum_vacuum_scale_factor = 0.5,
  autovacuum_vacuum_insert_threshold = -1,
  autovacuum_vacuum_cost_limit = 50
);
-- Each question has one good plan, so the counting of values, a page for each row, is spared.
do $$
declare c name;
begin
  for c in select attname from pg_attribute where attrelid = 'convoy.log'::regclass and attnum > 0
  loop
    execute format('alter table convoy.log alter column %I set statistics 0', c);
  end loop;
end $$;

-- One row. `first_index` is the backstop: see convoy.batch_is_closed.
create table convoy.memory (
  one boolean primary key default true check (one),
  cluster_id text not null default '',
  term int8 not null default 0,
  state_version int8 not null default 0,
  first_index int8 not null default 0
);
insert into convoy.memory default values;

-- The log before the oldest entry that is kept; (0, 0, '') while all are.
create table convoy.pruned (
  one boolean primary key default true check (one),
  index int8 not null default 0,
  term int8 not null default 0,
  checksum text not null default ''
);
insert into convoy.pruned default values;

-- What the commands of the running batch changed. Their order is that of the commands within the
-- transaction (cmin): a sequence would be what the user's lastval() tells of. Unlogged: nothing here
-- outlives its transaction in use. Emptied now and then, not after each batch.
create unlogged table convoy.change (
  index int8 not null,
  op "char" not null,
  tbl text not null,
  rows text[]
);
create index change_index on convoy.change (index);

-- Replaced at each start of the worker by one that knows its secret's digest.
create function convoy.trusted(secret text) returns boolean
  language sql immutable as 'select false';

-- Likewise replaced, by the limit in force.
create function convoy.entry_bytes_max() returns int4
  language sql immutable as 'select 8388608';

-- A batch of writes: schema-batch.sql ---------------------------------------------

-- The backstop: a transaction that opened a batch commits with that batch's entries or
-- not at all, so a COMMIT smuggled into a command takes nothing with it.
create function convoy.batch_is_closed() returns trigger
  language plpgsql security definer set search_path = pg_catalog as $$
begin
  if not exists (select from convoy.log where index = new.first_index) then
    raise 'the batch is still open' using errcode = 'CV101';
  end if;
  return null;
end $$;
create constraint trigger batch_is_closed after update of first_index on convoy.memory
  deferrable initially deferred for each row execute function convoy.batch_is_closed();

-- Capture -----------------------------------------------------------------------
-- Statement triggers write row text. A write outside of a tagged command fails here,
-- for its index is not a number.

-- Both of these are inlined: they cost a command nothing.
create function convoy.too_large() returns text[] language plpgsql as $$
begin
  raise 'the command changes more than an entry may hold' using errcode = 'CV004';
end $$;
create function convoy.bounded(images text[]) returns text[] language sql as $$
  select case when pg_catalog.pg_column_size(images) <= convoy.entry_bytes_max() then images
    else convoy.too_large() end
$$;

create function convoy.capture_insert() returns trigger
  language plpgsql security definer set search_path = pg_catalog as $$
begin
  insert into convoy.change (index, op, tbl, rows)
    select current_setting('convoy.index')::int8, 'i', tg_table_name, convoy.bounded(x.images)
    from (select array_agg((r.*)::text) as images from new_rows r) x where x.images is not null;
  return null;
end $$;

create function convoy.capture_update() returns trigger
  language plpgsql security definer set search_path = pg_catalog as $$
begin
  insert into convoy.change (index, op, tbl, rows)
    select current_setting('convoy.index')::int8, 'u', tg_table_name, convoy.bounded(x.images)
    from (select array_agg((r.*)::text) as images from new_rows r) x where x.images is not null;
  return null;
end $$;

create function convoy.capture_truncate() returns trigger
  language plpgsql security definer set search_path = pg_catalog as $$
begin
  insert into convoy.change (index, op, tbl)
    values (current_setting('convoy.index')::int8, 't', tg_table_name);
  return null;
end $$;

revoke execute on all functions in schema convoy from public;
grant usage on schema convoy to convoy_app, convoy_read, convoy_apply;
grant execute on function convoy.trusted to convoy_app;
grant select, insert, update, delete on all tables in schema convoy to convoy_apply;

reset role;
