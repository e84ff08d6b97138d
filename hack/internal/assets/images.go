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
			err := build.Run(ctx, build.Command{
				Dir: hack, Env: []string{"CGO_ENABLED=0"},
				Args: []string{"go", "build", "-trimpath", "-buildvcs=false", "-ldflags", linkerFlags, "-o", programs, "./pause", "./probe"},
			})
			if err != nil {
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
	layers := layer.NewStore(filepath.Join(dir, "layers"))
	defer os.RemoveAll(filepath.Join(dir, "layers"))
	l, err := layers.Layer(name, func() (*rootfs.Tree, error) {
		content, err := os.ReadFile(program)
		if err != nil {
			return nil, err
		}
		tree := rootfs.New()
		tree.File(entrypoint, 0o755, content)
		return tree, nil
	})
	if err != nil {
		return err
	}
	process := archive.Process{Entrypoint: []string{entrypoint}, User: nonrootUser, WorkingDir: "/"}
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
