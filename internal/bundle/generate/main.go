// Command generate writes the OLM bundle of the version in the file VERSION: go run ./internal/bundle/generate [-images FILE] FOLDER
//
// The manifests in dist, the files of config/manifests and the samples flow in. The bundle flows out, into FOLDER. With -images, the list
// of the image builder, all images have digests.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/bundle"
)

func main() {
	images := flag.String("images", "", "the image list of the image builder; empty leaves the references without digests")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: go run ./internal/bundle/generate [-images FILE] FOLDER")
		os.Exit(2)
	}
	if err := generate(*images, flag.Arg(0)); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

// generate replaces the folder by a new bundle.
func generate(images, folder string) error {
	in, err := bundle.ReadInput(os.DirFS("."))
	if err != nil {
		return err
	}
	if images != "" {
		if in.Images, err = readImages(images); err != nil {
			return err
		}
	}
	files, err := bundle.Render(in)
	if err != nil {
		return err
	}
	if err := os.RemoveAll(folder); err != nil {
		return err
	}
	for name, content := range files {
		path := filepath.Join(folder, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, content, 0o644)); err != nil {
			return err
		}
	}
	return nil
}

// readImages maps the references without registries and digests to complete ones.
func readImages(list string) (map[string]string, error) {
	content, err := os.ReadFile(list)
	if err != nil {
		return nil, fmt.Errorf("cannot read the image list, build the images first: %w", err)
	}
	var built map[string]struct{ Reference, Digest string }
	if err := json.Unmarshal(content, &built); err != nil {
		return nil, fmt.Errorf("the image list %s is invalid: %w", list, err)
	}
	pinned := map[string]string{}
	for _, image := range built {
		pinned[strings.TrimPrefix(image.Reference, "docker.io/")] = image.Reference + "@" + image.Digest
	}
	return pinned, nil
}
