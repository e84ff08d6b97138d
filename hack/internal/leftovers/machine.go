package leftovers

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/openservicemesh/osm-operator/hack/internal/cgroup"
	"github.com/openservicemesh/osm-operator/hack/internal/network"
	"github.com/openservicemesh/osm-operator/hack/internal/paths"
	"github.com/openservicemesh/osm-operator/hack/internal/process"
)

// Machine is where leftovers are looked for.
type Machine struct {
	State     paths.State
	Plan      network.Plan
	Group     cgroup.Group
	Processes process.Manager
	Sysctls   network.Sysctls
}

// room is one kind of leftovers.
type room struct {
	kind   string
	list   func(context.Context) ([]string, error)
	remove func(context.Context) error
}

// rooms lists all kinds in the order in which they can be removed: each may hold on to those after it.
func (m Machine) rooms() []room {
	return []room{
		{"process", m.processes, m.kill},
		{"mount", m.mounts, m.unmount},
		{"network interface", m.links, m.deleteLinks},
		{"nftables table", nftTables, deleteNftTables},
		{"control group", m.groups, m.removeGroups},
		{"file", m.strayFiles, m.removeStrayFiles},
		{"folder", m.stateFolder, m.removeState},
	}
}

// List returns a line for everything that is there, sorted by kind in the order of removal.
func (m Machine) List(ctx context.Context) ([]string, error) {
	var lines []string
	for _, r := range m.rooms() {
		names, err := r.list(ctx)
		if err != nil {
			return nil, fmt.Errorf("cannot look for leftovers of the kind %s: %w", r.kind, err)
		}
		for _, name := range names {
			lines = append(lines, r.kind+" "+name)
		}
	}
	return lines, nil
}

// Clean removes everything, and puts kernel settings back. It goes on after a failure and reports all of them.
func (m Machine) Clean(ctx context.Context) error {
	var failed error
	for _, r := range m.rooms() {
		if err := r.remove(ctx); err != nil {
			failed = errors.Join(failed, fmt.Errorf("cannot remove leftovers of the kind %s: %w", r.kind, err))
		}
	}
	return failed
}

func (m Machine) links(context.Context) ([]string, error) { return network.Links(m.Plan) }

func (m Machine) deleteLinks(context.Context) error { return network.DeleteLinks(m.Plan) }

func (m Machine) groups(context.Context) ([]string, error) { return m.Group.Roots(), nil }

func (m Machine) removeGroups(ctx context.Context) error {
	// A killed process stays in its group until the kernel has taken it apart.
	return until(ctx, m.Group.Remove)
}

func (m Machine) stateFolder(context.Context) ([]string, error) {
	if _, err := os.Lstat(m.State.Dir); err != nil {
		return nil, nil //nolint:nilerr // what cannot be seen is not there
	}
	return []string{m.State.Dir}, nil
}

// removeState restores the kernel settings, whose record lies in the state folder, then removes the folder. It refuses while
// something is mounted below, because removing would go through the mount.
func (m Machine) removeState(ctx context.Context) error {
	mounted, err := m.mounts(ctx)
	if err != nil {
		return err
	}
	if len(mounted) > 0 {
		return fmt.Errorf("%s is kept: %s is still mounted", m.State.Dir, mounted[0])
	}
	if err := m.Sysctls.Restore(); err != nil {
		return fmt.Errorf("%s is kept: kernel settings could not be put back: %w", m.State.Dir, err)
	}
	return os.RemoveAll(m.State.Dir)
}
