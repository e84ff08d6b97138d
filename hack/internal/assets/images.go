package assets

import (
	"context"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/openservicemesh/osm-operator/hack/images/archive"
	"github.com/openservicemesh/osm-operator/hack/images/layer"
	"github.com/openservicemesh/osm-operator/hack/images/rootfs"
	"github.com/openservicemesh/osm-operator/hack/internal/build"
)

// Images the node itself needs. The registry host does not exist: they are never pulled, only loaded.
const (
	PauseImage   = registry + "pause:local"
	CoreDNSImage = registry + "coredns:local"

	registry = "osm-local.invalid/"
)

// Files of the image archives in their folder.
const (
	PauseArchive   = "pause.tar"
	CoreDNSArchive = "coredns.tar"
)

// nobody is the user that both images run as.
const nobody = 65532

// nodeImages is the folder of the archives of the node's own images.
func nodeImages(hack, coredns string) build.Artifact {
	source := filepath.Join(hack, "pause")
	return build.Artifact{
		Name:    "node-images",
		Inputs:  []string{filepath.Base(coredns), "format 1"},
		Sources: []string{source},
		Make: func(ctx context.Context, dir string) error {
			pause := filepath.Join(dir, "pause")
			err := build.Run(ctx, build.Command{
				Dir: hack, Env: []string{"CGO_ENABLED=0"},
				Args: []string{"go", "build", "-trimpath", "-buildvcs=false", "-ldflags", linkerFlags, "-o", pause, "./pause"},
			})
			if err != nil {
				return err
			}
			if err := writeImage(dir, "pause", pause, PauseArchive); err != nil {
				return err
			}
			return writeImage(dir, "coredns", filepath.Join(coredns, "coredns"), CoreDNSArchive)
		},
	}
}

// writeImage makes an image that holds one static program and nothing else.
func writeImage(dir, name, program, file string) error {
	layers := layer.NewStore(filepath.Join(dir, "layers"))
	defer os.RemoveAll(filepath.Join(dir, "layers"))
	l, err := layers.Layer(name, func() (*rootfs.Tree, error) {
		content, err := os.ReadFile(program)
		if err != nil {
			return nil, err
		}
		tree := rootfs.New()
		tree.File(name, 0o755, content)
		return tree, nil
	})
	if err != nil {
		return err
	}
	process := archive.Process{Entrypoint: []string{"/" + name}, User: nobody, WorkingDir: "/"}
	img, err := archive.Assemble([]v1.Layer{l}, process, nil)
	if err != nil {
		return err
	}
	return archive.Write(filepath.Join(dir, file), archive.Name{Repository: registry + name, Tag: "local"}, img)
}
