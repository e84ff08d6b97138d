package assets

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/openservicemesh/osm-operator/hack/internal/build"
	"github.com/openservicemesh/osm-operator/hack/internal/progress"
)

// Set holds the folders of all assets of a cluster.
type Set struct {
	Kubernetes, Containerd, Runc, CNI, CoreDNS, NodeImages string
}

// Key identifies this set; it changes when any part changes.
func (s Set) Key() string {
	var parts []string
	for _, dir := range []string{s.Kubernetes, s.Containerd, s.Runc, s.CNI, s.CoreDNS, s.NodeImages} {
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
}

// KubernetesOnly builds and returns the Kubernetes folder, which is sufficient for envtest.
func (b Builder) KubernetesOnly(ctx context.Context) (string, error) {
	a, err := Kubernetes(b.Hack)
	if err != nil {
		return "", err
	}
	return b.ensure(ctx, a, "building Kubernetes (once; about six minutes on two cores)")
}

// All builds everything that is not cached. The smaller programs are built one by one in parallel with Kubernetes,
// which takes longer and leaves processors idle while it downloads and links.
func (b Builder) All(ctx context.Context) (Set, error) {
	var s Set
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		s.Kubernetes, err = b.KubernetesOnly(ctx)
		return err
	})
	group.Go(func() error { return b.buildSmallPrograms(ctx, &s) })
	return s, group.Wait()
}

func (b Builder) buildSmallPrograms(ctx context.Context, s *Set) error {
	for _, part := range []struct {
		folder   *string
		artifact build.Artifact
	}{{&s.Runc, Runc()}, {&s.CNI, CNI()}, {&s.Containerd, Containerd()}, {&s.CoreDNS, CoreDNS()}} {
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
