-- The functions through which a batch of writes reaches the log, and that check what a replica
-- applies. Written anew at each start
-- of a worker, so that those of its own version are in force on data that is older.

set role convoy_owner;

-- As older versions had it.
do $$ begin
  if exists (select from pg_catalog.pg_attribute
      where attrelid = 'convoy.change'::regclass and attname = 'seq' and not attisdropped) then
    alter table convoy.change drop column seq;
    create index change_index on convoy.change (index);
  end if;
end $$;

-- Requests that a master began alone: few, and looked for when a term begins.
create index if not exists log_begun on convoy.log (index) where request_id like 'begun %';

-- How far the log was committed at which age of the data: see protocol/forgetting.ts. The age is
-- the time that workers have run on it, by their monotonic clocks.
create table if not exists convoy.mark (index int8 not null, ran_ms int8 not null);
grant select, insert, delete on convoy.mark to convoy_apply;

-- Sizes are told without reading the values.
alter table convoy.change alter column rows set storage external;

-- For a check in the middle of a statement that a replica runs.
create or replace function convoy.refuse(state text, why text) returns int4
  language plpgsql set search_path = pg_catalog as $$
begin
  raise '%', why using errcode = state;
end $$;

-- Locks the stored term for the transaction, and aborts it when that is above `term`. Changes
-- belong to the entry `batch_index` until convoy.tag says otherwise.
create or replace function convoy.open_batch(secret text, batch_term int8, batch_index int8) returns void
  language plpgsql security definer set search_path = pg_catalog as $$
begin
  if not convoy.trusted(secret) then raise insufficient_privilege; end if;
  update convoy.memory set first_index = batch_index where memory.term <= batch_term;
  if not found then raise 'a later term is known here' using errcode = 'CV100'; end if;
  perform set_config('convoy.index', batch_index::text, true);
  discard sequences;
end $$;

-- From here on, changes belong to the entry `index`, and currval() and lastval() tell of what
-- follows: the session has been other clients' before.
create or replace function convoy.tag(secret text, index int8) returns void
  language plpgsql security definer set search_path = pg_catalog as $$
begin
  if not convoy.trusted(secret) then raise insufficient_privilege; end if;
  perform set_config('convoy.index', index::text, true);
  discard sequences;
end $$;

-- Only in the transaction that opened the batch: what a command smuggled in may have ended it.
-- Never by a scan: a plan made while the table was empty would stay one. And with one plan for
-- ever: the number of rows to come is guessed too high, so that each call would be planned anew.
create or replace function convoy.changes_since(secret text, first int8)
  returns table (index int8, op "char", tbl text, rows json)
  language plpgsql security definer set search_path = pg_catalog set enable_seqscan = off
  set plan_cache_mode = force_generic_plan as $$
declare
  largest int8;
  together int8;
begin
  if not convoy.trusted(secret) then raise insufficient_privilege; end if;
  if not exists (select from convoy.memory where first_index = first) then
    raise 'the batch is not open' using errcode = 'CV101';
  end if;
  -- Before it is all put into memory, here and in the worker.
  select max(x.bytes), sum(x.bytes) into largest, together
    from (select sum(pg_column_size(c.rows)) as bytes from convoy.change c
      where c.index >= first group by c.index) x;
  if largest > 2 * convoy.entry_bytes_max()::int8 then
    raise 'the command changes more than an entry may hold' using errcode = 'CV004';
  elsif together > 8 * convoy.entry_bytes_max()::int8 then
    raise 'the commands change too much together' using errcode = 'CV102';
  end if;
  return query select c.index, c.op, c.tbl, array_to_json(c.rows)
    from convoy.change c where c.index >= first order by c.index, c.cmin::text::int8;
end $$;

-- Appends the batch's entries: entry `i` has the index `first + i - 1`.
create or replace function convoy.append(secret text, batch_term int8, first int8, ids text[], keys text[],
    hashes text[], statuses int4[], changes text[], results text[], checksums text[]) returns void
  language plpgsql security definer set search_path = pg_catalog as $$
begin
  if not convoy.trusted(secret) then raise insufficient_privilege; end if;
  if not exists (select from convoy.memory where first_index = first) then
    raise 'the batch is not open' using errcode = 'CV101';
  end if;
  insert into convoy.log (index, term, request_id, request_key, command_hash, status, changes, result, checksum)
    select first + e.i - 1, batch_term, e.id, e.key, e.hash, e.status, e.changes, e.result, e.checksum
    from unnest(ids, keys, hashes, statuses, changes, results, checksums)
      with ordinality e (id, key, hash, status, changes, result, checksum, i);
end $$;

create or replace function convoy.outcomes(secret text, keys text[])
  returns table (index int8, term int8, request_key text, command_hash text, status int4, result text)
  language plpgsql security definer set search_path = pg_catalog set enable_seqscan = off as $$
begin
  if not convoy.trusted(secret) then raise insufficient_privilege; end if;
  return query select l.index, l.term, l.request_key, l.command_hash, l.status, l.result
    from convoy.log l where l.request_key = any (keys);
end $$;

create or replace function convoy.empty_changes(secret text) returns void
  language plpgsql security definer set search_path = pg_catalog as $$
begin
  if not convoy.trusted(secret) then raise insufficient_privilege; end if;
  truncate convoy.change;
end $$;

revoke execute on function convoy.refuse, convoy.open_batch, convoy.tag, convoy.changes_since, convoy.append,
  convoy.outcomes, convoy.empty_changes from public;
grant execute on function convoy.open_batch, convoy.tag, convoy.changes_since, convoy.append,
  convoy.outcomes, convoy.empty_changes to convoy_app;
grant execute on function convoy.refuse to convoy_apply;

-- The index up to which this worker has applied: for reads, in their own snapshot. Planned with the
-- statement that asks; a function would be planned anew at each read, which costs more than the read.
create or replace view convoy.log_end as
  select coalesce((select l.index from convoy.log l order by l.index desc limit 1),
    (select p.index from convoy.pruned p)) as index;
grant select on convoy.log_end to convoy_read, convoy_apply;

reset role;
