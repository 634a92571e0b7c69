// SPDX-License-Identifier: Apache-2.0

package settings

// wrong is a value that its setting must refuse, beside those that others must
// have for it to be looked at. In values {dir}, {missing}, {garbage}, {cert} and
// {key} stand for paths.
type wrong struct {
	value string
	with  map[string]string
}

func values(list ...string) []wrong {
	var all []wrong
	for _, v := range list {
		all = append(all, wrong{value: v})
	}
	return all
}

func beside(name, value string, list ...string) []wrong {
	var all []wrong
	for _, v := range list {
		all = append(all, wrong{v, map[string]string{name: value}})
	}
	return all
}

func both(lists ...[]wrong) []wrong {
	var all []wrong
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

// Values that are wrong of every setting of a kind.
var (
	counts    = values("", "many", "-1", "1.5", "99999999999999999999", "2147483647000")
	sizes     = values("", "big", "-1", "1.5", "4MB", "99999999999999999999")
	durations = values("", "soon", "5", "-1s", "10x", "99999999h")
	switches  = values("", "maybe", "2")
	listeners = values("nonsense", ":::", "localhost:99999", "localhost:port", "http://localhost:8080", "no such host:80")
	files     = values("{missing}", "{dir}")
	folders   = values("{missing}", "{garbage}")
	urls      = values("nonsense", "localhost:8081", "ftp://registry:8081", "http://", "http://host:port", "http://host:99999", "http://user:hunter2@host", "http://host/%zz", "://")
	topics    = values("", "a b", "..", "a/b", "ä", repeated("x", 250))
	names     = values("", "a\nb", repeated("x", 300))
)

// cases are wrong values of every setting.
var cases = map[string][]wrong{
	"HOOKSTREAM_ADMIN_ADDRESS": listeners,
	"HOOKSTREAM_PPROF_ADDRESS": listeners,
	"HOOKSTREAM_LOG_LEVEL":     values("", "loud", "7"),
	"HOOKSTREAM_TRACE_TENANTS": switches,
	"HOOKSTREAM_DRAIN_TIMEOUT": both(durations, values("0s", "1000h")),

	"HOOKSTREAM_BROKERS":              values("", ",", "nonsense:::", "host:", "host:port", "host:0", "host:99999", "http://host:9092", "PLAINTEXT://host:9092", "a b:9092", "host:9092,,other:9092", "host:9092,bad:::"),
	"HOOKSTREAM_KAFKA_TLS":            switches,
	"HOOKSTREAM_KAFKA_CA_FILE":        beside("HOOKSTREAM_KAFKA_TLS", "true", "{missing}", "{dir}", "{garbage}"),
	"HOOKSTREAM_KAFKA_CERT_FILE":      both(values("{cert}"), beside("HOOKSTREAM_KAFKA_KEY_FILE", "{key}", "{missing}", "{dir}", "{garbage}")),
	"HOOKSTREAM_KAFKA_KEY_FILE":       both(values("{key}"), beside("HOOKSTREAM_KAFKA_CERT_FILE", "{cert}", "{missing}", "{dir}", "{garbage}", "{cert}")),
	"HOOKSTREAM_KAFKA_SASL_MECHANISM": values("gssapi", "PLAIN", "plain"),
	"HOOKSTREAM_KAFKA_SASL_USER":      both(values("somebody"), beside("HOOKSTREAM_KAFKA_SASL_MECHANISM", "plain", "somebody")),
	"HOOKSTREAM_KAFKA_SASL_PASSWORD":  both(values("hunter2"), beside("HOOKSTREAM_KAFKA_SASL_MECHANISM", "plain", "hunter2")),
	"HOOKSTREAM_TOPIC_RAW":            both(topics, values("hookstream.dlq")),
	"HOOKSTREAM_TOPIC_DEDUP":          both(topics, values("hookstream.raw")),
	"HOOKSTREAM_TOPIC_HELD":           both(topics, values("hookstream.raw")),
	"HOOKSTREAM_TOPIC_DLQ":            both(topics, values("hookstream.raw")),
	"HOOKSTREAM_TOPIC_RESOLUTIONS":    both(topics, values("hookstream.raw")),
	"HOOKSTREAM_TOPIC_SINK_REPLAY":    both(topics, values("hookstream.raw")),
	"HOOKSTREAM_TOPIC_EVENTS_PREFIX":  values("a b", "a/b", "ä", repeated("x", 240)),
	"HOOKSTREAM_PARTITIONS":           both(counts, values("0", "1000000")),
	"HOOKSTREAM_REPLICATION":          values("", "all", "0", "-2", "1.5", "100000", "1000"),
	"HOOKSTREAM_MAX_MESSAGE_BYTES":    both(sizes, values("0", "1000", "2147483647")),
	"HOOKSTREAM_RETENTION":            values("", "soon", "5", "10x", "99999999h", "0s", "1s", "2562047h"),
	"HOOKSTREAM_DEDUP_WINDOW":         both(durations, values("0s", "1s", "2562047h")),

	"HOOKSTREAM_REGISTRY_URL":          urls,
	"HOOKSTREAM_REGISTRY_USER":         values("somebody"),
	"HOOKSTREAM_REGISTRY_PASSWORD":     values("hunter2"),
	"HOOKSTREAM_REGISTRY_TOKEN":        both(values("hunter\n2"), []wrong{{"hunter2", map[string]string{"HOOKSTREAM_REGISTRY_USER": "u", "HOOKSTREAM_REGISTRY_PASSWORD": "p"}}}),
	"HOOKSTREAM_REGISTRY_CA_FILE":      values("{missing}", "{dir}", "{garbage}"),
	"HOOKSTREAM_DEFINITIONS_DIR":       folders,
	"HOOKSTREAM_TRANSFORM_GROUP":       names,
	"HOOKSTREAM_INSTANCE_ID":           values("a\nb", repeated("x", 300)),
	"HOOKSTREAM_TRANSACTION_RECORDS":   both(counts, values("0", "100000000")),
	"HOOKSTREAM_TRANSACTION_TIMEOUT":   both(durations, values("0s", "1s", "1000h")),
	"HOOKSTREAM_SESSION_TIMEOUT":       both(durations, values("0s", "1ms", "1000h")),
	"HOOKSTREAM_MAX_EVENT_AGE":         both(durations, values("0s")),
	"HOOKSTREAM_MAX_EVENT_SKEW":        both(durations, values("0s", "2562047h")),
	"HOOKSTREAM_HELD_MAX_RECORDS":      both(counts, values("0")),
	"HOOKSTREAM_TRANSFORM_DEAD_LETTER": values("nonsense", "A/B/C", "a b/c"),
	"HOOKSTREAM_DEDUP_MAX_ENTRIES":     counts,

	"HOOKSTREAM_DATABASE_URL": values("garbage", "mysql://h/d", "http://h/d", "postgres://h:port/d", "postgres://h:99999/d", "postgres://h:0/d",
		"postgres://u:hunter2@h:port/d", "postgres://h/d?sslmode=bogus", "host=h port=many", "host=h password=hunter2 sslmode=bogus",
		"postgres://u:hun/ter2@h/d", "postgres://u:hunter2@h/%zz", "postgres://h/d?target_session_attrs=any-old", "postgres://h/d?connect_timeout=soon",
		"postgres://h/d?sslmode=verify-full&sslrootcert={missing}", "postgres://h/d?default_query_exec_mode=bogus", "postgres://h/d?pool_max_conns=-1", "postgres://h/d?pool_max_conn_lifetime=soon", "host=h service=none"),
	"HOOKSTREAM_SINK_GROUP":              names,
	"HOOKSTREAM_SINK_INSTANCES":          values("host:port", "http://host:8083", "host:99999"),
	"HOOKSTREAM_SINK_MAX_RECORDS":        both(counts, values("0", "100000000")),
	"HOOKSTREAM_SINK_POOL_SIZE":          both(counts, values("0", "1", "100000")),
	"HOOKSTREAM_SINK_STATEMENT_TIMEOUT":  both(durations, values("0s", "1ms", "1000h")),
	"HOOKSTREAM_SINK_SYNCHRONOUS_COMMIT": switches,
	"HOOKSTREAM_SINK_DEAD_LETTER_ALL":    switches,
	"HOOKSTREAM_SINK_MANAGED":            values("", "true", "maybe"),
	"HOOKSTREAM_SINK_PURGE_AFTER":        both(durations, values("1s", "1h")),
	"HOOKSTREAM_TABLES_SCHEMA":           values("", "hookstream", "pg_catalog", "a\x01b", repeated("x", 64)),
	"HOOKSTREAM_TABLES_FILE":             both(files, values("{garbage}")),
	"HOOKSTREAM_LEDGER_RETENTION":        both(durations, values("1s", "1h")),

	"HOOKSTREAM_ADDRESS":             both(listeners, values("")),
	"HOOKSTREAM_TLS_CERT_FILE":       both(values("{cert}"), beside("HOOKSTREAM_TLS_KEY_FILE", "{key}", "{missing}", "{dir}", "{garbage}")),
	"HOOKSTREAM_TLS_KEY_FILE":        both(values("{key}"), beside("HOOKSTREAM_TLS_CERT_FILE", "{cert}", "{missing}", "{dir}", "{garbage}", "{cert}")),
	"HOOKSTREAM_TLS_CLIENT_CA_FILE":  both(values("{cert}"), with(map[string]string{"HOOKSTREAM_TLS_CERT_FILE": "{cert}", "HOOKSTREAM_TLS_KEY_FILE": "{key}"}, "{missing}", "{dir}", "{garbage}")),
	"HOOKSTREAM_PUBLIC_URL":          both(urls, values("https://hooks.example.com/path", "https://hooks.example.com?a=b")),
	"HOOKSTREAM_PUBLIC_URLS":         values("nonsense", "default/github", "default/github=nonsense", "github=https://h.example.com", "default/github=https://u:hunter2@h.example.com/", "default/github=ftp://h.example.com", "A/B=https://h.example.com", "default/github=https://h.example.com/?a=b"),
	"HOOKSTREAM_TRUSTED_PROXIES":     values("nonsense", "10.0.0.0/33", "10.0.0", "10.0.0.0/8,,", "host.example.com"),
	"HOOKSTREAM_FORWARDED_HEADER":    values("", "x-real-ip", "Forwarded"),
	"HOOKSTREAM_PROXY_PROTOCOL":      both(switches, values("true")),
	"HOOKSTREAM_ALLOWED_NETWORKS":    values("nonsense", "github=", "github=nonsense", "github=10.0.0.0/33", "A/B=10.0.0.0/8"),
	"HOOKSTREAM_SECRETS_DIR":         folders,
	"HOOKSTREAM_SECRETS":             values("hunter2", "default/github", "default/github=", "A/B=hunter2", "default/stripe=hunter2;nonsense"),
	"HOOKSTREAM_WEAKER_SCHEMES":      values("nonsense", "default/github"),
	"HOOKSTREAM_OUTBOUND":            values("", "some"),
	"HOOKSTREAM_MAX_BODY_BYTES":      both(sizes, values("0", "1000000000")),
	"HOOKSTREAM_MAX_IN_FLIGHT":       both(counts, values("0", "100000000")),
	"HOOKSTREAM_MAX_IN_FLIGHT_BYTES": both(sizes, values("0", "1000")),
	"HOOKSTREAM_MAX_CONNECTIONS":     both(counts, values("0")),
	"HOOKSTREAM_RATE_LIMIT":          values("", "fast", "-1", "NaN", "Inf", "1e400"),
	"HOOKSTREAM_RATE_LIMITS":         values("nonsense", "default/github", "default/github=fast", "default/github=-1", "default/github=NaN", "*/*=5", "github=5"),
	"HOOKSTREAM_RATE_BURST":          both(durations, values("0s", "1000h")),
	"HOOKSTREAM_HEADER_TIMEOUT":      both(durations, values("0s", "1000h")),
	"HOOKSTREAM_READ_TIMEOUT":        both(durations, values("0s", "1000h")),
	"HOOKSTREAM_MIN_BODY_RATE":       both(sizes, values("0")),
	"HOOKSTREAM_PRODUCE_TIMEOUT":     both(durations, values("0s", "1000h")),
	"HOOKSTREAM_DRAIN_DELAY":         both(durations, values("1h")),

	"HOOKSTREAM_DLQ_ADDRESS":            both(listeners, values("")),
	"HOOKSTREAM_DLQ_TLS_CERT_FILE":      both(values("{cert}"), beside("HOOKSTREAM_DLQ_TLS_KEY_FILE", "{key}", "{missing}", "{dir}", "{garbage}")),
	"HOOKSTREAM_DLQ_TLS_KEY_FILE":       both(values("{key}"), beside("HOOKSTREAM_DLQ_TLS_CERT_FILE", "{cert}", "{missing}", "{dir}", "{garbage}", "{cert}")),
	"HOOKSTREAM_DLQ_TOKENS_FILE":        both(files, values("{garbage}")),
	"HOOKSTREAM_DLQ_OIDC_ISSUER":        with(oidc, "nonsense", "http://user:hunter2@host"),
	"HOOKSTREAM_DLQ_OIDC_AUDIENCE":      both(values("dlq"), with(oidc, "")),
	"HOOKSTREAM_DLQ_OIDC_JWKS_URL":      both(values("https://issuer.example.com/keys"), with(oidc, "", "nonsense", "http://issuer.example.com/keys", "https://u:hunter2@issuer.example.com/keys", "https://h:port/")),
	"HOOKSTREAM_DLQ_OIDC_SCOPES":        with(oidc, "nonsense", "a=write", "a=read;b"),
	"HOOKSTREAM_DLQ_OIDC_SCOPE_CLAIM":   with(oidc, ""),
	"HOOKSTREAM_DLQ_OIDC_SUBJECT_CLAIM": with(oidc, ""),
	"HOOKSTREAM_DLQ_MAX_IN_FLIGHT":      both(counts, values("0", "100000000")),
	"HOOKSTREAM_DLQ_MAX_SIMULATIONS":    both(counts, values("0")),
	"HOOKSTREAM_DLQ_MAX_SIMULATED":      both(counts, values("0")),
	"HOOKSTREAM_DLQ_MAX_STREAMS":        both(counts, values("0", "100000000")),
	"HOOKSTREAM_DLQ_REQUEST_TIMEOUT":    both(durations, values("0s", "1ms", "1000h")),
	"HOOKSTREAM_DLQ_MAX_INDEXED":        both(counts, values("0")),

	"HOOKSTREAM_TRACE_URL": values("http://localhost:16686/", "nonsense", "{trace_id}", "javascript:{trace_id}", "http://user:hunter2@localhost/{trace_id}"),
}

// oidc is what makes dlq serve look at an issuer's tokens.
var oidc = map[string]string{
	"HOOKSTREAM_DLQ_OIDC_ISSUER":   "https://issuer.example.com",
	"HOOKSTREAM_DLQ_OIDC_AUDIENCE": "dlq",
	"HOOKSTREAM_DLQ_OIDC_JWKS_URL": "https://issuer.example.com/keys",
}

func with(others map[string]string, list ...string) []wrong {
	var all []wrong
	for _, v := range list {
		all = append(all, wrong{v, others})
	}
	return all
}
