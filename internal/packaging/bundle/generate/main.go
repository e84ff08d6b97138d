// Command generate writes the OLM bundle of the version in the file VERSION: go run ./internal/packaging/bundle/generate [-images FILE] FOLDER
//
// The manifests in dist, the files of config/manifests and the samples flow in. The bundle flows out, into FOLDER. With -images, the list
// of the image builder, all images have digests.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/packaging/bundle"
	"github.com/openservicemesh/osm-operator/internal/packaging/folder"
	"github.com/openservicemesh/osm-operator/internal/packaging/imagelist"
)

func main() {
	images := flag.String("images", "", "the image list of the image builder; empty leaves the references without digests")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: go run ./internal/packaging/bundle/generate [-images FILE] FOLDER")
		os.Exit(2)
	}
	if err := generate(*images, flag.Arg(0)); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

// generate replaces the folder by a new bundle.
func generate(images, path string) error {
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
	return folder.Replace(path, files)
}

// readImages maps the references without registries and digests to complete ones.
func readImages(list string) (map[string]string, error) {
	built, err := imagelist.Read(list)
	if err != nil {
		return nil, err
	}
	pinned := map[string]string{}
	for _, image := range built {
		pinned[strings.TrimPrefix(image.Reference, "docker.io/")] = image.Pinned()
	}
	return pinned, nil
}
