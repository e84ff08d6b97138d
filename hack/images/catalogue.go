package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/openservicemesh/osm-operator/hack/images/lock"
)

// image describes the content of one image. To add an image, add a line to catalogue.
type image struct {
	// name is the short name; the full name is docker.io/openservicemesh/<name>:<version>.
	name string
	// command is the main package of the image's program, relative to the repository; empty if the base has the
	// program.
	command string
	// entrypoint is the path of the program in the image.
	entrypoint string
	// user is the numeric user and group of the program.
	user int
	// base is the content below the program.
	base base
}

// Users of the images. Envoy has its own user because the traffic redirection exempts that user's traffic.
const (
	userRoot    = 0
	userEnvoy   = 1500
	userNonroot = 65532
)

// catalogue lists every image in build order.
func catalogue() []image {
	return []image{
		{"osm-operator", "./cmd/operator", "/osm-operator", userNonroot, scratch()},
		{"osm-controller", "./cmd/controller", "/osm-controller", userNonroot, scratch()},
		{"osm-injector", "./cmd/injector", "/osm-injector", userNonroot, scratch()},
		{"osm-traffic-metrics", "./cmd/traffic-metrics", "/osm-traffic-metrics", userNonroot, scratch()},
		{"init", "./cmd/init", "/osm-init", userRoot, launcher()},
		{"bookbuyer", "./cmd/demo-bookbuyer", "/bookbuyer", userNonroot, scratch()},
		{"bookthief", "./cmd/demo-bookthief", "/bookthief", userNonroot, scratch()},
		{"bookstore", "./cmd/demo-bookstore", "/bookstore", userNonroot, scratch()},
		{"bookwarehouse", "./cmd/demo-bookwarehouse", "/bookwarehouse", userNonroot, scratch()},
		{"mysql", "./cmd/demo-mysql", "/demo-mysql", userNonroot, mariadb()},
		{"curl", "", "/usr/bin/curl", userNonroot, curl()},
		{"nginx", "", "/usr/sbin/nginx", userNonroot, nginx()},
		{"osm-test-tools", "./e2e/tools", "/osm-test-tools", userNonroot, scratch()},
		{"osm-test-authorizer", "./hack/authorizer", "/authorizer", userNonroot, scratch()},
		{"envoy", "", "/usr/local/bin/envoy", userEnvoy, envoy()},
	}
}

// base is a set of Debian packages and the files taken from them.
type base struct {
	// packages are Debian packages, in the current release of apt.
	packages []string
	// files are the path.Match patterns of the files to take.
	files []string
	// envoy adds the Envoy program as a separate layer.
	envoy bool
	// further is another program of this repository; empty for none.
	further furtherProgram
	// dataDir is a directory owned by the image's user, as a mount point for a volume; empty for none.
	dataDir string
	// complete takes all files of the packages and of their dependencies, except those that programs do not read. Patterns in files are not used.
	complete bool
}

// scratch is the empty base of static programs.
func scratch() base { return base{} }

// furtherProgram is a main package, relative to the repository, and its path in an image.
type furtherProgram struct{ command, path string }

// launcher is the program that osm-init copies into pods whose sidecars are upgraded in place.
func launcher() base { return base{further: furtherProgram{"./cmd/launcher", "/osm-launcher"}} }

// envoy is the Envoy program and the C library it needs, on each architecture.
func envoy() base {
	return base{
		envoy:    true,
		packages: []string{"libc6"},
		files: []string{
			"lib/*-linux-gnu/ld-linux-*.so.?",
			"lib/*-linux-gnu/libc.so.6",
			"lib/*-linux-gnu/libdl.so.2",
			"lib/*-linux-gnu/libm.so.6",
			"lib/*-linux-gnu/libpthread.so.0",
			"lib/*-linux-gnu/librt.so.1",
			"lib/ld-linux-*.so.?",
			"lib64/ld-linux-*.so.?",
			"usr/share/doc/libc6/copyright",
		},
	}
}

// mariadb is a MariaDB server without a shell.
func mariadb() base {
	return base{
		dataDir: "/var/lib/mysql",
		packages: []string{
			"libaio1", "libc6", "libcap2", "libcrypt1", "libgcc-s1", "libgcrypt20", "libgpg-error0", "liblz4-1", "liblzma5",
			"libnuma1", "libpcre2-8-0", "libssl3", "libstdc++6", "libsystemd0", "liburing2", "libzstd1",
			"mariadb-common", "mariadb-server-core", "zlib1g",
		},
		files: []string{
			"lib/x86_64-linux-gnu/*.so*",
			"usr/lib/x86_64-linux-gnu/*.so*",
			"lib64/ld-linux-x86-64.so.2",
			"usr/share/doc/*/copyright",
			"usr/sbin/mariadbd",
			"usr/share/mysql/*.sql",
			"usr/share/mysql/charsets/*",
			"usr/share/mysql/english/errmsg.sys",
		},
	}
}

// curl is curl with a small shell, for sending requests from inside the mesh.
func curl() base {
	return base{
		packages: []string{
			"coreutils", "curl", "dash", "libbrotli1", "libc6", "libcom-err2", "libcurl4", "libffi8", "libgmp10", "libgnutls30", "libgssapi-krb5-2",
			"libhogweed6", "libidn2-0", "libk5crypto3", "libkeyutils1", "libkrb5-3", "libkrb5support0", "libldap-2.5-0", "libnettle8",
			"libnghttp2-14", "libp11-kit0", "libpsl5", "librtmp1", "libsasl2-2", "libssh2-1", "libssl3", "libtasn1-6", "libunistring2",
			"libzstd1", "zlib1g",
		},
		files: []string{
			"bin/cat",
			"bin/dash",
			"bin/sh",
			"bin/sleep",
			"lib/x86_64-linux-gnu/*.so*",
			"lib64/ld-linux-x86-64.so.2",
			"usr/bin/curl",
			"usr/bin/head",
			"usr/bin/seq",
			"usr/bin/sort",
			"usr/bin/uniq",
			"usr/bin/wc",
			"usr/lib/x86_64-linux-gnu/*.so*",
			"usr/share/doc/*/copyright",
		},
	}
}

// nginx is the ingress controller of end-to-end tests.
func nginx() base {
	return base{
		packages: []string{"libc6", "libcrypt1", "libpcre2-8-0", "libssl3", "nginx", "zlib1g"},
		files: []string{
			"lib/x86_64-linux-gnu/*.so*",
			"lib64/ld-linux-x86-64.so.2",
			"usr/lib/x86_64-linux-gnu/*.so*",
			"usr/sbin/nginx",
			"usr/share/doc/*/copyright",
		},
	}
}

// printTable prints name, digest and size of the images just built.
func printTable(w io.Writer, built []image, list lock.Images) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "IMAGE\tDIGEST\tSIZE")
	for _, img := range built {
		l := list[img.name]
		fmt.Fprintf(tw, "%s\t%s\t%.1f MB\n", l.Reference, l.Digest, float64(l.Size)/1e6)
	}
	return tw.Flush()
}

// selectImages returns the images with the given names. Without names it returns all images that can be built.
func selectImages(all []image, names []string, buildable func(image) bool) ([]image, error) {
	var selected []image
	if len(names) == 0 {
		for _, img := range all {
			if buildable(img) {
				selected = append(selected, img)
			}
		}
		return selected, nil
	}
	for _, name := range names {
		i := slices.IndexFunc(all, func(img image) bool { return img.name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no image %q; the images are %s", name, strings.Join(namesOf(all), ", "))
		}
		selected = append(selected, all[i])
	}
	return selected, nil
}

func namesOf(all []image) []string {
	var names []string
	for _, img := range all {
		names = append(names, img.name)
	}
	return names
}
