package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/openservicemesh/osm-operator/hack/internal/assets"
	"github.com/openservicemesh/osm-operator/hack/internal/build"
	"github.com/openservicemesh/osm-operator/hack/internal/network"
	"github.com/openservicemesh/osm-operator/hack/internal/node"
	"github.com/openservicemesh/osm-operator/hack/internal/paths"
	"github.com/openservicemesh/osm-operator/hack/internal/progress"
)

// tool is what every command works with.
type tool struct {
	report  *progress.Reporter
	builder assets.Builder
	state   paths.State
}

func newTool() (*tool, error) {
	state, err := paths.FindState(os.Getenv)
	if err != nil {
		return nil, err
	}
	cache, err := paths.FindCache(os.Getenv)
	if err != nil {
		return nil, err
	}
	hack, err := assets.FindHack()
	if err != nil {
		return nil, err
	}
	// Progress goes to standard error: standard output is for what other programs read.
	report := progress.New(os.Stderr, time.Now)
	return &tool{
		report:  report,
		builder: assets.Builder{Hack: hack, Cache: build.Cache{Dir: cache}, Report: report},
		state:   state,
	}, nil
}

func (t *tool) node() (*node.Node, error) { return node.New(t.state, network.Default(), t.report) }

// exclusive keeps two commands that change the cluster from running at the same time; the second waits.
func (t *tool) exclusive() (func(), error) {
	return build.Lock(filepath.Join(t.builder.Cache.Dir, "cluster.lock"))
}

// requireRoot explains why a command cannot work for an ordinary user.
func requireRoot() error {
	if os.Geteuid() != 0 {
		return errors.New("this needs root, because it makes control groups, mounts and network interfaces: run it as root")
	}
	return nil
}

// current reports that the user wants the kubeconfig's cluster instead of one made here.
func current() (bool, error) {
	switch v := os.Getenv(paths.ClusterVariable); v {
	case "", "local":
		return false, nil
	case "current":
		return true, nil
	default:
		return false, fmt.Errorf("%s is %q; it may be \"local\", which is the default, or \"current\"", paths.ClusterVariable, v)
	}
}
