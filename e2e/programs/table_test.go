package programs

import (
	"regexp"
	"time"
)

// program is a program that the project did not write.
type program struct {
	// name is that of its manifests, testdata/NAME.yaml, of its image, app-NAME, and of its row in docs/applications.md. The last document of the
	// manifests is the pod "client", which prints a line for each operation: "ok" or "failed", and details.
	name string
	// version is what was run.
	version string
	// settings are what the manifests need in the mesh.
	settings []setting
	// calls are the questions to `osm explain`: a service account, and the Service that it calls. Calls without which pods are not ready come first.
	calls []call
	// start are commands that run once, before the client is created, and check fails until the program has recovered from a restart.
	start, check step
	// peer selects the pod that is restarted, by label and value.
	peer [2]string
	// outage is the longest time without a successful operation while the peer is restarted; 0 if no operation may fail.
	outage time.Duration
	// protocolErrors are lines of the program's own log about bytes that no peer should have sent.
	protocolErrors *regexp.Regexp
}

// setting is a change of the manifests, such as an appProtocol.
type setting struct {
	old, new string
	// docs describes the change in docs/applications.md.
	docs string
}

type call struct{ from, to string }

// step is a shell command in a pod.
type step struct{ pod, command string }

// statefulSetPod is the label of a pod of a StatefulSet.
const statefulSetPod = "statefulset.kubernetes.io/pod-name"

func programs() []program {
	return []program{nginx(), postgresql(), redis(), rabbitmq(), java(), memcached(), mariadb(), etcd(), haproxy(), python()}
}

func nginx() program {
	return program{
		name: "nginx", version: "1.22.1",
		calls:          []call{{"client", "nginx"}, {"nginx", "upstream"}},
		check:          step{"client", "ab -q -n 500 -c 10 http://nginx/ | tee /dev/stderr | grep -q 'Failed requests: *0' && curl -sf http://nginx/large | wc -c | grep -qv '^0$'"},
		peer:           [2]string{"app", "upstream"},
		protocolErrors: regexp.MustCompile(`\[(error|crit|alert|emerg)\]`),
	}
}

func postgresql() program {
	return program{
		name: "postgresql", version: "15.20",
		calls: []call{{"postgresql", "postgresql-primary"}, {"client", "postgresql-primary"}, {"client", "postgresql-read"}},
		check: step{"client", `export PGUSER=postgres PGDATABASE=postgres PGSSLMODE=require
			test "$(psql -h postgresql-primary -qAtc "select count(*) from pg_stat_replication join pg_stat_ssl using (pid) where ssl and state = 'streaming'")" = 1 &&
			psql -h postgresql-primary -qAtc 'create table if not exists mark (n int)' && psql -h postgresql-read -qAtc 'select count(*) from mark' &&
			pgbench -q -i -s 1 -h postgresql-primary && pgbench -c 4 -T 5 -h postgresql-primary`},
		peer:           [2]string{statefulSetPod, "postgresql-read-0"},
		protocolErrors: regexp.MustCompile(`(?i)invalid length of startup packet|unsupported frontend protocol|SSL error|could not accept SSL connection: [^E]|incomplete startup packet|expected (authentication|SASL)|protocol`),
	}
}

func redis() program {
	return program{
		name: "redis", version: "7.0.15",
		calls: []call{{"redis", "redis-headless"}, {"client", "redis"}, {"client", "redis-headless:6379"}},
		start: step{"redis-0", `redis-cli --cluster create $(getent ahostsv4 redis-headless | cut -d" " -f1 | sort -u | sed s/$/:6379/) --cluster-replicas 1 --cluster-yes`},
		check: step{"client", `redis-cli --cluster check $(getent ahostsv4 redis-headless | head -1 | cut -d" " -f1):6379 && ! redis-cli -h redis cluster nodes | grep -E 'fail|disconnected' &&
			test $(redis-cli -h redis cluster nodes | grep -c connected) = 6`},
		peer: [2]string{statefulSetPod, "redis-0"},
		// Masters agree on a failure after a node timeout of 5 s, and replicas elect a master.
		outage:         20 * time.Second,
		protocolErrors: regexp.MustCompile(`(?i)protocol error|bad message|can't handle|unknown packet|wrong signature|Can't extract`),
	}
}

func rabbitmq() program {
	return program{
		name: "rabbitmq", version: "3.10.8",
		settings: []setting{
			{"port: 4369, targetPort: epmd", "port: 4369, targetPort: epmd, appProtocol: tcp", "`appProtocol: tcp` for the ports `epmd` and `dist`"},
			{"port: 25672, targetPort: dist", "port: 25672, targetPort: dist, appProtocol: tcp", ""},
		},
		calls:          []call{{"rabbitmq", "rabbitmq-headless"}, {"client", "rabbitmq:5672"}},
		start:          step{"rabbitmq-0", running},
		check:          step{"rabbitmq-0", running},
		peer:           [2]string{statefulSetPod, "rabbitmq-1"},
		outage:         20 * time.Second,
		protocolErrors: regexp.MustCompile(`(?i)bad_header|frame_error|handshake_timeout|unexpected|badheader|protocol|disallowed|partition`),
	}
}

// running fails until three nodes of RabbitMQ run.
const running = `test $(/usr/lib/rabbitmq/bin/rabbitmqctl -q cluster_status | sed -n '/Running Nodes/,/Versions/p' | grep -c rabbit@) = 3`

func java() program {
	return program{
		name: "java", version: "17.0.21 (HttpClient), Netty 4.1.48",
		calls:          []call{{"client", "server"}},
		peer:           [2]string{"app", "server"},
		protocolErrors: regexp.MustCompile(`(?i)exception|decoder`),
	}
}

func memcached() program {
	return program{
		name: "memcached", version: "1.6.18",
		calls: []call{{"client", "memcached"}},
		peer:  [2]string{statefulSetPod, "memcached-0"},
		// Half of the keys belong to the server that is restarted.
		outage:         20 * time.Second,
		protocolErrors: regexp.MustCompile(`(?i)error|invalid|too large`),
	}
}

func mariadb() program {
	return program{
		name: "mariadb", version: "10.11.19",
		calls: []call{{"mariadb", "mariadb-primary"}, {"client", "mariadb-primary"}, {"client", "mariadb-secondary"}},
		check: step{"client", `count() { mariadb --no-defaults -h mariadb-$1 -uroot -N -e 'SELECT COUNT(*) FROM shop.t'; }
			before=$(count primary) && sleep 3 && test "$(count secondary)" -ge "$before"`},
		peer:           [2]string{statefulSetPod, "mariadb-secondary-0"},
		protocolErrors: regexp.MustCompile(`(?i)packets out of order|malformed|unauthenticated|bad handshake|reading communication packets`),
	}
}

func etcd() program {
	return program{
		name: "etcd", version: "3.4.23",
		calls: []call{{"etcd", "etcd-headless:2380"}, {"client", "etcd:2379"}, {"client", "etcd-headless:2379"}},
		check: step{"client", `etcdctl --endpoints http://etcd:2379 endpoint health --cluster && { timeout 5 etcdctl --endpoints http://etcd:2379 watch mark > /tmp/mark & } &&
			sleep 2 && etcdctl --endpoints http://etcd:2379 put mark seen && sleep 1 && grep seen /tmp/mark`},
		peer:           [2]string{statefulSetPod, "etcd-0"},
		outage:         20 * time.Second,
		protocolErrors: regexp.MustCompile(`(?i)malformed|protocol error|rejected connection|mismatch`),
	}
}

func haproxy() program {
	return program{
		name: "haproxy", version: "2.6.12",
		calls:          []call{{"client", "haproxy"}, {"haproxy", "server"}},
		peer:           [2]string{statefulSetPod, "server-0"},
		outage:         20 * time.Second,
		protocolErrors: regexp.MustCompile(`(?i)invalid|bad req|protocol`),
	}
}

func python() program {
	return program{
		name: "python", version: "3.11 (gRPC 1.51)",
		calls: []call{{"client", "server"}},
		peer:  [2]string{"app", "server"},
		// A stream ends with its server.
		outage:         10 * time.Second,
		protocolErrors: regexp.MustCompile(`(?i)error|exception|goaway`),
	}
}

// images are the names of the programs' images.
func images() []string {
	var all []string
	for _, p := range programs() {
		all = append(all, "app-"+p.name)
	}
	return all
}
