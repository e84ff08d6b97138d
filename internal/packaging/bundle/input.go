package bundle

import (
	"fmt"
	"io/fs"
	"path"
	"strings"

	semver "github.com/blang/semver/v4"
)

// firstSample is the example that forms show first. The patterns are those of the other examples.
const firstSample = "config/samples/operator_v1alpha1_mesh.yaml"

var otherSamples = []string{"config/samples/policy_*.yaml", "config/samples/config_*.yaml"}

// releasedImages matches the list of images of each recorded version.
const releasedImages = "internal/operator/operand/manifests/*/IMAGES"

// ReadInput reads the input from a checkout, without images.
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
	lists, err := fs.Glob(checkout, releasedImages)
	if err != nil {
		return in, err
	}
	in.Replaces = earlier(lists, in.Version)
	return in, failed
}

// earlier returns the highest released version below a version, or nothing. The folder of each list is named after its version.
func earlier(lists []string, version string) string {
	present, err := semver.ParseTolerant(version)
	if err != nil {
		return "" // the rendering of the bundle reports it
	}
	found, highest := "", semver.Version{}
	for _, list := range lists {
		name := path.Base(path.Dir(list))
		if v, err := semver.ParseTolerant(name); err == nil && v.LT(present) && v.GT(highest) {
			found, highest = name, v
		}
	}
	return found
}
