#!/bin/bash
# Starts RabbitMQ as Debian's package has it, without its wrapper, so that what the container
# signals is the server. It keeps nothing: whatever is unanswered is sent again, and each start
# begins empty. No other Erlang node can join, and nothing but AMQP listens.
set -euo pipefail
: "${CONVOY_CLUSTER:?}" "${CONVOY_AMQP_PASSWORD:?}"

dir=$(mktemp -d)
mkdir -p "$dir/mnesia" "$dir/log" "$dir/schema"
echo '[].' > "$dir/enabled_plugins"
(umask 077 && cat > "$dir/rabbitmq.conf" <<CONF
listeners.tcp.default = 5672
default_vhost = convoy-$CONVOY_CLUSTER
default_user = convoy
default_pass = $CONVOY_AMQP_PASSWORD
loopback_users.guest = true
vm_memory_high_watermark.absolute = 1GB
disk_free_limit.absolute = 50MB
log.console = true
log.console.level = warning
log.file = false
CONF
)

home=$(echo /usr/lib/rabbitmq/lib/rabbitmq_server-*)
export HOME=$dir ERL_LIBS=$home/plugins ERL_MAX_ETS_TABLES=50000 \
  ERL_AFLAGS='-start_epmd false -dist_listen false -erl_epmd_port 1' \
  RABBITMQ_HOME=$home RABBITMQ_PLUGINS_DIR=$home/plugins RABBITMQ_NODENAME=convoy@localhost \
  RABBITMQ_CONF_ENV_FILE=$dir/none RABBITMQ_CONFIG_FILE=$dir/rabbitmq.conf \
  RABBITMQ_CONFIG_FILES=$dir/none RABBITMQ_ADVANCED_CONFIG_FILE=$dir/none.config \
  RABBITMQ_ENABLED_PLUGINS_FILE=$dir/enabled_plugins RABBITMQ_MNESIA_BASE=$dir/mnesia \
  RABBITMQ_FEATURE_FLAGS_FILE=$dir/mnesia/feature_flags RABBITMQ_GENERATED_CONFIG_DIR=$dir/schema \
  RABBITMQ_LOG_BASE=$dir/log RABBITMQ_PID_FILE=$dir/rabbitmq.pid
unset CONVOY_AMQP_PASSWORD
exec erl -noinput -boot start_sasl -s rabbit boot -sname convoy@localhost \
  +W w +S 2:2 +SDio 4 +sbwt none +sbwtdcpu none +sbwtdio none +B i \
  -syslog logger '[]' -syslog syslog_error_logger false
