package assets

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/openservicemesh/osm-operator/hack/images/archive"
	"github.com/openservicemesh/osm-operator/hack/images/fetch"
	"github.com/openservicemesh/osm-operator/hack/images/rootfs"
	"github.com/openservicemesh/osm-operator/hack/internal/build"
)

// osmModule is the module of Open Service Mesh, from which tests migrate.
const osmModule = "github.com/openservicemesh/osm"

// OSMChart is the folder of OSM's chart in the folder of its images.
const OSMChart = "chart"

// osmPrograms are the programs of OSM, each in an image of the same name.
var osmPrograms = []string{"osm-bootstrap", "osm-controller", "osm-healthcheck", "osm-injector", "osm-preinstall"}

// statsPlugin is a file that OSM's release builds with a compiler for WebAssembly, and its module lacks. Empty, it is only invalid for the sidecars of a
// MeshConfig with enableWASMStats.
const statsPlugin = "pkg/envoy/lds/stats.wasm"

// envoyUser is the user of OSM's sidecars, whose traffic is not redirected.
const envoyUser = 1500

// debianFiles are files of Debian packages in an image.
type debianFiles struct{ packages, files []string }

func (d debianFiles) add(ctx context.Context, cache string, tree *rootfs.Tree) error {
	packages, err := fetch.Packages(ctx, d.packages)
	if err != nil {
		return err
	}
	debs, err := fetch.Download(ctx, cache, packages)
	if err != nil {
		return err
	}
	for _, deb := range debs {
		if err := fetch.Unpack(ctx, deb, d.files, tree); err != nil {
			return err
		}
	}
	return tree.CheckLinked()
}

// osmInit is the shell and the iptables-restore that OSM's init containers run.
func osmInit() debianFiles {
	return debianFiles{
		packages: []string{"dash", "iptables", "libc6", "libmnl0", "libnetfilter-conntrack3", "libnfnetlink0", "libnftnl11", "libxtables12"},
		files: []string{
			"bin/dash", "bin/sh", "usr/sbin/xtables-nft-multi", "lib/x86_64-linux-gnu/*.so*", "lib64/ld-linux-x86-64.so.2",
			"usr/lib/x86_64-linux-gnu/*.so*", "usr/lib/x86_64-linux-gnu/xtables/*.so", "usr/share/doc/*/copyright",
		},
	}
}

// osmSidecar is what Envoy needs from Debian.
func osmSidecar() debianFiles {
	return debianFiles{packages: []string{"libc6"}, files: []string{
		"lib/x86_64-linux-gnu/*.so*", "lib64/ld-linux-x86-64.so.2",
		"usr/share/doc/libc6/copyright",
	}}
}

// OSM builds Open Service Mesh and returns the folder with its images, one *.tar for each, and its chart.
func (b Builder) OSM(ctx context.Context) (string, error) {
	return b.ensurePinned(ctx, b.osm, "building Open Service Mesh (once; about five minutes on two cores)")
}

func (b Builder) osm(hack string) (build.Artifact, error) {
	module := filepath.Join(hack, "servers", "osm")
	version, err := requiredVersion(filepath.Join(module, "go.mod"), osmModule)
	if err != nil {
		return build.Artifact{}, err
	}
	pins, err := fetch.EnvoyPins()
	if err != nil {
		return build.Artifact{}, err
	}
	flags := linkerFlags + " -X " + osmModule + "/pkg/version.Version=" + version
	return build.Artifact{
		Name:    "osm",
		Inputs:  append(append([]string{flags, pins.Oldest.Version, "format 1"}, osmInit().packages...), osmPrograms...),
		Sources: []string{module},
		Make: func(ctx context.Context, dir string) error {
			work := filepath.Join(dir, "work")
			defer os.RemoveAll(work)
			programs := filepath.Join(work, "programs") + string(filepath.Separator)
			source, err := buildOSM(ctx, module, work, flags, programs)
			if err != nil {
				return err
			}
			if err := os.CopyFS(filepath.Join(dir, OSMChart), os.DirFS(filepath.Join(source, "charts", "osm"))); err != nil {
				return err
			}
			return b.writeOSM(ctx, dir, source, programs, pins.Oldest)
		},
	}, nil
}

// buildOSM compiles the programs in a copy of the module, and returns its folder.
func buildOSM(ctx context.Context, module, work, flags, programs string) (string, error) {
	copied := filepath.Join(work, "source")
	if err := copyModule(ctx, module, osmModule, copied, work); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(copied, filepath.FromSlash(statsPlugin)), nil, 0o644); err != nil {
		return "", err
	}
	args := []string{"go", "build", "-trimpath", "-buildvcs=false", "-ldflags", flags, "-modfile", filepath.Join(work, "go.mod"), "-o", programs}
	for _, program := range osmPrograms {
		args = append(args, osmModule+"/cmd/"+program)
	}
	return copied, build.Run(ctx, build.Command{Dir: module, Env: []string{"CGO_ENABLED=0", "GOFLAGS=-mod=mod"}, Args: args})
}

// writeOSM writes the images of OSM's programs, of its init containers and of its sidecars.
func (b Builder) writeOSM(ctx context.Context, dir, source, programs string, sidecar fetch.Pin) error {
	for _, program := range osmPrograms {
		err := writeTree(dir, program, program+".tar", archive.Process{Entrypoint: []string{"/" + program}, User: nonrootUser, WorkingDir: "/"},
			func(tree *rootfs.Tree) error {
				if program == "osm-bootstrap" {
					if err := addFiles(tree, filepath.Join(source, "cmd", program, "crds", "*.yaml"), "/osm-crds/"); err != nil {
						return err
					}
				}
				return addProgram(tree, "/"+program, programs+program)
			})
		if err != nil {
			return err
		}
	}
	err := writeTree(dir, "init", "init.tar", archive.Process{Entrypoint: []string{"/bin/sh"}, WorkingDir: "/"}, func(tree *rootfs.Tree) error {
		tree.Link("/usr/sbin/iptables-restore", "xtables-nft-multi")
		return osmInit().add(ctx, b.Cache.Dir, tree)
	})
	if err != nil {
		return err
	}
	return writeTree(dir, "envoy", "envoy.tar", archive.Process{Entrypoint: []string{"/usr/local/bin/envoy"}, User: envoyUser, WorkingDir: "/"},
		func(tree *rootfs.Tree) error {
			program, err := sidecar.Local(ctx, b.Cache.Dir)
			if err != nil {
				return err
			}
			if err := addProgram(tree, "/usr/local/bin/envoy", program); err != nil {
				return err
			}
			return osmSidecar().add(ctx, b.Cache.Dir, tree)
		})
}

// addFiles adds the files of a pattern to a folder of a tree.
func addFiles(tree *rootfs.Tree, pattern, folder string) error {
	files, err := filepath.Glob(pattern)
	if err != nil {
		return err
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		tree.File(strings.TrimSuffix(folder, "/")+"/"+filepath.Base(file), 0o644, content)
	}
	return nil
}
