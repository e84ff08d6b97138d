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

// Open returns the tools of the checkout that contains the working folder. Builds are reported on the writer.
func Open(report io.Writer) (Toolbox, error) {
	root, err := repo.Root(".")
	if err != nil {
		return Toolbox{}, err
	}
	cache, err := paths.FindCache(os.Getenv)
	if err != nil {
		return Toolbox{}, err
	}
	return Toolbox{
		Root:   root,
		Cache:  build.Cache{Dir: filepath.Join(cache, "tools")},
		Report: progress.New(report, time.Now),
	}, nil
}
