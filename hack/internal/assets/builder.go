package assets

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"github.com/openservicemesh/osm-operator/hack/images/archive"
	"github.com/openservicemesh/osm-operator/hack/images/layer"
	"github.com/openservicemesh/osm-operator/hack/images/rootfs"
	"github.com/openservicemesh/osm-operator/hack/internal/build"
	"github.com/openservicemesh/osm-operator/hack/internal/progress"
)

// Set holds the folders of all assets of a cluster.
type Set struct {
	// Kubernetes has the programs of the control plane and kubectl, and Node the kubelet and kube-proxy. They are the same folder unless their versions differ.
	Kubernetes, Node                           string
	Containerd, Runc, CNI, CoreDNS, NodeImages string
	// Versions are those of the Kubernetes programs.
	Versions Versions
}

// Key identifies this set; it changes when any part changes.
func (s Set) Key() string {
	var parts []string
	for _, dir := range []string{s.Kubernetes, s.Node, s.Containerd, s.Runc, s.CNI, s.CoreDNS, s.NodeImages} {
		parts = append(parts, filepath.Base(dir))
	}
	return strings.Join(parts, "-")
}

// Builder builds assets.
type Builder struct {
	// Hack is the folder of this module's sources.
	Hack   string
	Cache  build.Cache
	Report *progress.Reporter
	// Versions are those of Kubernetes. Builders of other programs have none.
	Versions Versions
}

// KubernetesOnly builds and returns the Kubernetes folder, which is sufficient for envtest.
func (b Builder) KubernetesOnly(ctx context.Context) (string, error) {
	return b.kubernetes(ctx, b.Versions.ControlPlane)
}

// kubernetes builds and returns the folder of one minor version of Kubernetes.
func (b Builder) kubernetes(ctx context.Context, minor string) (string, error) {
	pinned := func(hack string) (build.Artifact, error) { return Kubernetes(hack, minor) }
	return b.ensurePinned(ctx, pinned, "building Kubernetes "+minor+" (once; about six minutes on two cores)")
}

// ensurePinned builds an artifact whose version is pinned in a go.mod.
func (b Builder) ensurePinned(ctx context.Context, pinned func(hack string) (build.Artifact, error), step string) (string, error) {
	a, err := pinned(b.Hack)
	if err != nil {
		return "", err
	}
	return b.ensure(ctx, a, step)
}

// All builds everything that is not cached. The smaller programs are built one by one in parallel with Kubernetes,
// which takes longer and leaves processors idle while it downloads and links.
func (b Builder) All(ctx context.Context) (Set, error) {
	s := Set{Versions: b.Versions}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		if s.Kubernetes, err = b.KubernetesOnly(ctx); err == nil {
			s.Node, err = b.kubernetes(ctx, b.Versions.Node)
		}
		return err
	})
	group.Go(func() error { return b.buildSmallPrograms(ctx, &s) })
	return s, group.Wait()
}

func (b Builder) buildSmallPrograms(ctx context.Context, s *Set) error {
	for _, part := range []struct {
		folder   *string
		artifact build.Artifact
	}{{&s.Runc, Runc()}, {&s.CNI, CNI()}, {&s.Containerd, Containerd()}, {&s.CoreDNS, CoreDNS(b.Hack)}} {
		dir, err := b.ensure(ctx, part.artifact, "building "+part.artifact.Name)
		if err != nil {
			return err
		}
		*part.folder = dir
	}
	dir, err := b.ensure(ctx, nodeImages(b.Hack, s.CoreDNS), "building the node's images")
	s.NodeImages = dir
	return err
}

func (b Builder) ensure(ctx context.Context, a build.Artifact, step string) (string, error) {
	return b.Cache.Ensure(ctx, a, func(build func(context.Context) error) error {
		return b.Report.Run(ctx, step, build)
	})
}

// FindHack returns the folder of this module: the working folder, a parent of it, or `hack` below one of them.
func FindHack() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		for _, candidate := range []string{dir, filepath.Join(dir, "hack")} {
			if _, err := os.Stat(filepath.Join(candidate, "kube", "go.mod")); err == nil {
				return candidate, nil
			}
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("cannot find the sources of the local cluster at or above %s: run this inside the repository", start)
		}
	}
}

// Versions of programs built from third-party modules. Those of Kubernetes and etcd are in kube/go.mod and kube/versions, that of CoreDNS in
// servers/coredns/go.mod.
const (
	containerdVersion = "v2.4.2"
	runcVersion       = "v1.5.2"
	cniVersion        = "v1.9.1"
)

// linkerFlags omit symbol tables, which halves the size.
const linkerFlags = "-s -w"

// goBuild is the command that builds static programs, and part of the keys of artifacts.
var goBuild = []string{"go", "build", "-trimpath", "-buildvcs=false", "-ldflags", linkerFlags}

// runGoBuild runs goBuild for packages of a module.
func runGoBuild(ctx context.Context, module string, command []string, output string, packages ...string) error {
	args := slices.Concat(command, []string{"-o", output}, packages)
	return build.Run(ctx, build.Command{Dir: module, Env: []string{"CGO_ENABLED=0"}, Args: args})
}

// Containerd returns the artifact with containerd, its runc shim and ctr.
func Containerd() build.Artifact {
	return goInstall("containerd", containerdVersion, "0", "no_btrfs no_devmapper no_zfs", []string{
		"github.com/containerd/containerd/v2/cmd/containerd",
		"github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2",
		"github.com/containerd/containerd/v2/cmd/ctr",
	})
}

// Runc returns the artifact with runc. It needs C to enter namespaces, and libseccomp for pods with a seccomp profile.
func Runc() build.Artifact {
	return goInstall("runc", runcVersion, "1", "seccomp", []string{"github.com/opencontainers/runc"})
}

// CNI returns the artifact with the network plugins of the node's configuration.
func CNI() build.Artifact {
	const plugins = "github.com/containernetworking/plugins/plugins/"
	return goInstall("cni", cniVersion, "0", "", []string{
		plugins + "main/bridge", plugins + "ipam/host-local", plugins + "meta/portmap",
	})
}

// CoreDNS returns the artifact with the cluster's DNS server and the plugins that the cluster uses.
func CoreDNS(hack string) build.Artifact {
	module := filepath.Join(hack, "servers", "coredns")
	return build.Artifact{
		Name:    "coredns",
		Inputs:  goBuild,
		Sources: []string{module},
		Make: func(ctx context.Context, dir string) error {
			return runGoBuild(ctx, module, goBuild, filepath.Join(dir, "coredns"), ".")
		},
	}
}

// goInstall returns an artifact made by `go install` of packages of one module. The go command verifies the module's
// checksum.
func goInstall(name, version, cgo, tags string, packages []string) build.Artifact {
	args := []string{"go", "install", "-trimpath", "-buildvcs=false", "-ldflags", linkerFlags, "-tags", tags}
	for _, p := range packages {
		args = append(args, p+"@"+version)
	}
	return build.Artifact{
		Name:   name,
		Inputs: append(args, "cgo="+cgo),
		Make: func(ctx context.Context, dir string) error {
			env := []string{"GOBIN=" + dir, "CGO_ENABLED=" + cgo}
			return build.Run(ctx, build.Command{Dir: "/", Env: env, Args: args})
		},
	}
}

// Images that the node itself needs, and the probe image. They are loaded and never pulled: the registry host does not
// exist.
const (
	PauseImage   = registry + "pause:local"
	CoreDNSImage = registry + "coredns:local"
	ProbeImage   = registry + "probe:local"

	registry = "osm-local.invalid/"
)

// File names of the image archives.
const (
	PauseArchive   = "pause.tar"
	CoreDNSArchive = "coredns.tar"
	ProbeArchive   = "probe.tar"
)

// nonrootUser is the user that these images run as.
const nonrootUser = 65532

// nodeImages returns the artifact with the archives of the images in this package.
func nodeImages(hack, coredns string) build.Artifact {
	sources := []string{filepath.Join(hack, "pause"), filepath.Join(hack, "probe")}
	return build.Artifact{
		Name:    "node-images",
		Inputs:  []string{filepath.Base(coredns), "format 1"},
		Sources: sources,
		Make: func(ctx context.Context, dir string) error {
			programs := filepath.Join(dir, "programs") + string(filepath.Separator)
			defer os.RemoveAll(programs)
			if err := runGoBuild(ctx, hack, goBuild, programs, "./pause", "./probe"); err != nil {
				return err
			}
			for archive, program := range map[string]string{
				PauseArchive:   programs + "pause",
				ProbeArchive:   programs + "probe",
				CoreDNSArchive: filepath.Join(coredns, "coredns"),
			} {
				if err := writeImage(dir, filepath.Base(program), "/"+filepath.Base(program), program, archive); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// writeImage writes the archive of an image with one static program, which is the file entrypoint of the image.
func writeImage(dir, name, entrypoint, program, file string) error {
	process := archive.Process{Entrypoint: []string{entrypoint}, User: nonrootUser, WorkingDir: "/"}
	return writeTree(dir, name, file, process, func(tree *rootfs.Tree) error { return addProgram(tree, entrypoint, program) })
}

// addProgram adds a program of this machine to a tree.
func addProgram(tree *rootfs.Tree, path, program string) error {
	content, err := os.ReadFile(program)
	if err != nil {
		return err
	}
	tree.File(path, 0o755, content)
	return nil
}

// writeTree writes the archive of an image with one layer, whose files a function adds.
func writeTree(dir, name, file string, process archive.Process, add func(*rootfs.Tree) error) error {
	layers := layer.NewStore(filepath.Join(dir, "layers"))
	defer os.RemoveAll(filepath.Join(dir, "layers"))
	l, err := layers.Layer(name, func() (*rootfs.Tree, error) {
		tree := rootfs.New()
		return tree, add(tree)
	})
	if err != nil {
		return err
	}
	img, err := archive.Assemble([]v1.Layer{l}, process, nil)
	if err != nil {
		return err
	}
	content, err := archive.Single(img)
	if err != nil {
		return err
	}
	return archive.Write(filepath.Join(dir, file), archive.Name{Repository: registry + name, Tag: "local"}, content)
}
