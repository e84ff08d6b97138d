package bundle

import (
	"fmt"
	"io/fs"
	"strings"
)

// firstSample is the example that forms show first. The patterns are those of the other examples.
const firstSample = "config/samples/operator_v1alpha1_mesh.yaml"

var otherSamples = []string{"config/samples/policy_*.yaml", "config/samples/config_*.yaml"}

// ReadInput reads the input from a checkout, without a previous version and without images.
func ReadInput(checkout fs.FS) (Input, error) {
	var failed error
	file := func(name string) []byte {
		content, err := fs.ReadFile(checkout, name)
		if err != nil && failed == nil {
			failed = fmt.Errorf("cannot read the input of the bundle: %w", err)
		}
		return content
	}
	in := Input{
		Version:     strings.TrimSpace(string(file("VERSION"))),
		Manifests:   file("dist/install.yaml"),
		Description: string(file("config/manifests/description.md")),
		Icon:        file("config/manifests/icon.svg"),
	}
	in.Samples = append(in.Samples, file(firstSample))
	for _, pattern := range otherSamples {
		names, err := fs.Glob(checkout, pattern)
		if err != nil {
			return in, err
		}
		for _, name := range names {
			in.Samples = append(in.Samples, file(name))
		}
	}
	return in, failed
}
