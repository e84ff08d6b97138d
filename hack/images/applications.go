package main

import "slices"

// applications lists the images of programs that the project did not write, for tests of the mesh with them. They contain Debian packages as they are,
// and are built only if they are named.
func applications() []image {
	return []image{
		{"app-nginx", "", "/usr/sbin/nginx", userNonroot, complete("nginx-light", "apache2-utils", "curl")},
		{"app-postgresql", "", "/usr/lib/postgresql/15/bin/postgres", userNonroot, complete("postgresql-15", "postgresql-contrib-15", "openssl")},
		{"app-redis", "", "/usr/bin/redis-server", userNonroot, complete("redis-server", "redis-tools")},
		{"app-rabbitmq", "", "/usr/lib/rabbitmq/bin/rabbitmq-server", userNonroot, complete("rabbitmq-server", "python3-pika")},
		{"app-java", "", "/usr/bin/java", userNonroot, complete("openjdk-17-jdk-headless", "libnetty-java")},
		{"app-memcached", "", "/usr/bin/memcached", userNonroot, complete("memcached", "python3-pymemcache")},
		{"app-mariadb", "", "/usr/sbin/mariadbd", userNonroot, complete("mariadb-server", "mariadb-client")},
		{"app-etcd", "", "/usr/bin/etcd", userNonroot, complete("etcd-server", "etcd-client")},
		{"app-haproxy", "", "/usr/sbin/haproxy", userNonroot, complete("haproxy", "curl")},
		{"app-python", "", "/usr/bin/python3", userNonroot, complete("python3", "python3-grpcio", "python3-requests", "python3-aiohttp")},
	}
}

// everyImage lists the images of the project and of applications.
func everyImage() []image { return append(catalogue(), applications()...) }

// complete is a base with all files of packages and of their dependencies, and a shell with the usual tools.
func complete(packages ...string) base {
	all := append([]string{"bash", "coreutils", "dash", "gawk", "grep", "hostname", "libc-bin", "procps", "sed"}, packages...)
	slices.Sort(all)
	return base{packages: all, complete: true}
}

// unread are patterns of files of packages that programs do not read.
var unread = []string{
	"etc/init.d/*", "lib/systemd/*", "usr/lib/systemd/*", "usr/lib/jvm/*/jmods/*", "usr/lib/jvm/*/lib/src.zip", "usr/share/doc/*", "usr/share/info/*",
	"usr/share/locale/*", "usr/share/man/*", "usr/share/bash-completion/*",
}
