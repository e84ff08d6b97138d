package tool

import (
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/openservicemesh/osm-operator/hack/internal/build"
	"github.com/openservicemesh/osm-operator/hack/internal/paths"
	"github.com/openservicemesh/osm-operator/hack/internal/progress"
	"github.com/openservicemesh/osm-operator/hack/internal/repo"
)

// Open returns the tools of the checkout that the current folder lies in; builds are reported on the writer.
func Open(report io.Writer) (Box, error) {
	root, err := repo.Root(".")
	if err != nil {
		return Box{}, err
	}
	cache, err := paths.FindCache(os.Getenv)
	if err != nil {
		return Box{}, err
	}
	return Box{
		Root:   root,
		Cache:  build.Cache{Dir: filepath.Join(cache, "tools")},
		Report: progress.New(report, time.Now),
	}, nil
}
