// Command freeze writes down one version of the control plane for ever: a copy of the current manifests with image digests, and the
// commit that they were made from.
//
// In flow a version, a commit and the list of images that the image builder left; out flows a new folder of manifests, which the
// next build of the operator embeds. A folder that exists is never written again.
//
//	go run ./internal/operand/freeze -version v0.1.0 -commit HASH -images bin/images/images.lock
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"github.com/openservicemesh/osm-operator/internal/operand"
)

func main() {
	version := flag.String("version", "", "the version to write down, such as v0.1.0")
	commit := flag.String("commit", "", "the commit that the images were built from")
	images := flag.String("images", filepath.Join("bin", "images", "images.lock"), "the list of built images")
	out := flag.String("out", filepath.Join("internal", "operand", "manifests"), "the folder that has a folder for each version")
	flag.Parse()
	folder, err := freeze(*version, *commit, *images, *out)
	if err != nil {
		fmt.Fprintln(os.Stderr, "freeze:", err)
		os.Exit(1)
	}
	fmt.Println("wrote", folder)
}

// release is what may name a folder of manifests.
var release = regexp.MustCompile(`^v[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$`)

// freeze writes the folder of a version.
func freeze(version, commit, list, out string) (string, error) {
	if !release.MatchString(version) {
		return "", fmt.Errorf("%q is not a version: write v and three numbers, such as v0.1.0", version)
	}
	images, err := readImages(list)
	if err != nil {
		return "", err
	}
	files, err := operand.Freeze(images, commit)
	if err != nil {
		return "", err
	}
	folder := filepath.Join(out, version)
	err = os.Mkdir(folder, 0o755)
	if errors.Is(err, os.ErrExist) {
		return "", fmt.Errorf("%s exists: a version that is written down never changes; raise the version in the file VERSION", folder)
	}
	if err != nil {
		return "", err
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o644); err != nil {
			return "", err
		}
	}
	return folder, nil
}

// readImages reads the references and digests of the images that belong to a version.
func readImages(list string) (operand.Images, error) {
	content, err := os.ReadFile(list)
	if err != nil {
		return operand.Images{}, fmt.Errorf("the list of built images cannot be read, build the images first: %w", err)
	}
	var built map[string]struct{ Reference, Digest string }
	if err := json.Unmarshal(content, &built); err != nil {
		return operand.Images{}, fmt.Errorf("the list of built images %s is damaged: %w", list, err)
	}
	pinned := func(name string) string {
		if built[name].Digest == "" {
			return ""
		}
		return built[name].Reference + "@" + built[name].Digest
	}
	images := operand.Images{
		Controller: pinned("osm-controller"), Injector: pinned("osm-injector"), Init: pinned("init"), Sidecar: pinned("envoy"),
	}
	if missing := images.Missing(); len(missing) > 0 {
		return images, fmt.Errorf("%s does not list the images of %v: build all images first", list, missing)
	}
	return images, nil
}
