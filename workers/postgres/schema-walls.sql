-- Functions of PostgreSQL that nobody's SQL may call. Runs at each start, so that a database made by
-- an older version gets the same walls. By name, because PostgreSQL says of no function what it
-- reaches; the walls' test looks for further ones by what they return.
--
-- They reach beyond the transaction, stall it, run text that nobody has parsed, or show the
-- statements of other clients with the values in them, or choose what they get (setseed).
do $$
declare f regprocedure;
begin
  for f in select oid from pg_catalog.pg_proc where pronamespace = 'pg_catalog'::regnamespace
    and (proname ~ '^(pg_sleep|pg_advisory|pg_try_advisory|lo_|lowrite$|loread$|pg_ls_|pg_read_|pg_stat_file|pg_stat_reset)'
      or proname ~ '^(query|table|cursor|schema|database)_to_xml'
      or proname ~ '^pg_(replication_origin|logical|create_|drop_|copy_|backup|wal_replay|switch|promote|get_wal)'
      or proname ~ '^pg_stat_get_(activity|backend_|progress_|wal_senders|wal_receiver|subscription)'
      or proname in ('set_config', 'pg_terminate_backend', 'pg_cancel_backend', 'pg_notify',
        'pg_export_snapshot', 'pg_reload_conf', 'pg_rotate_logfile', 'pg_current_logfile',
        'pg_listening_channels', 'ts_stat', 'pg_import_system_collations',
        'pg_prepared_statement', 'pg_prepared_xact', 'pg_cursor', 'setseed')
      or (proname = 'ts_rewrite' and pronargs = 2))
    and has_function_privilege('public', oid, 'execute')
  loop
    execute format('revoke execute on function %s from public', f);
  end loop;
end $$;
grant execute on function pg_catalog.set_config(text, text, boolean) to convoy_owner;
