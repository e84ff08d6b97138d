package archive

import (
	"cmp"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Process describes how a container of the image starts.
type Process struct {
	// Entrypoint is the program and its fixed arguments.
	Entrypoint []string
	// User is the numeric user and group of the program.
	User int
	// WorkingDir is the initial working directory.
	WorkingDir string
	// Architecture is Go's name of the processor. Empty means amd64.
	Architecture string
}

// Assemble stacks the layers, base first, into an image for Linux. It sets no creation time: the same layers and settings
// always give the same digest.
func Assemble(layers []v1.Layer, p Process, labels map[string]string) (v1.Image, error) {
	img := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
	img = mutate.ConfigMediaType(img, types.OCIConfigJSON)
	img, err := mutate.AppendLayers(img, layers...)
	if err != nil {
		return nil, fmt.Errorf("cannot stack the layers: %w", err)
	}
	file, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	file = file.DeepCopy()
	file.OS, file.Architecture = "linux", cmp.Or(p.Architecture, "amd64")
	file.History = nil
	file.Config = v1.Config{
		Entrypoint: p.Entrypoint,
		User:       fmt.Sprintf("%d:%d", p.User, p.User),
		WorkingDir: p.WorkingDir,
		Env:        []string{"PATH=/usr/local/bin:/usr/sbin:/usr/bin:/bin:/"},
		Labels:     labels,
	}
	return mutate.ConfigFile(img, file)
}
