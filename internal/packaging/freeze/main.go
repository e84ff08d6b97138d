package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"github.com/openservicemesh/osm-operator/internal/operator/operand"
	"github.com/openservicemesh/osm-operator/internal/packaging/imagelist"
)

func main() {
	version := flag.String("version", "", "the version to record, such as v0.1.0")
	commit := flag.String("commit", "", "the commit that the images were built from")
	images := flag.String("images", filepath.Join("bin", "images", "images.lock"), "the image list of the image builder")
	out := flag.String("out", filepath.Join("internal", "operator", "operand", "manifests"), "the parent folder of the version folders")
	flag.Parse()
	folder, err := freeze(*version, *commit, *images, *out)
	if err != nil {
		fmt.Fprintln(os.Stderr, "freeze:", err)
		os.Exit(1)
	}
	fmt.Println("wrote", folder)
}

// release matches the valid names of version folders.
var release = regexp.MustCompile(`^v[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$`)

// freeze writes the folder of a version and returns its path.
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
		return "", fmt.Errorf("%s exists: a recorded version never changes; raise the version in the file VERSION", folder)
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

// readImages reads the references and digests of the images of a version.
func readImages(list string) (operand.Images, error) {
	built, err := imagelist.Read(list)
	if err != nil {
		return operand.Images{}, err
	}
	images := operand.Images{
		Controller: built["osm-controller"].Pinned(), Injector: built["osm-injector"].Pinned(), Init: built["init"].Pinned(), Sidecar: built["envoy"].Pinned(),
	}
	if missing := images.Missing(); len(missing) > 0 {
		return images, fmt.Errorf("%s does not list the images of %v: build all images first", list, missing)
	}
	return images, nil
}
