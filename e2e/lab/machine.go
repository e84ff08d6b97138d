package lab

import (
	"context"
	"io"
	"path/filepath"
)

// Machine is a simulated machine with a cluster of its own.
type Machine struct {
	*Cluster

	name string
	out  io.Writer
}

// StartMachine starts a cluster on a simulated machine, with the images that were built, and connects it with the local cluster: pods of each reach pods and
// Services of the other. The tools print their progress to out.
func (c *Cluster) StartMachine(ctx context.Context, out io.Writer, name string) (*Machine, error) {
	m := &Machine{name: name, out: out, Cluster: &Cluster{Repository: c.Repository}}
	archives, err := filepath.Glob(c.Repository.Path("bin", "images", "*.tar"))
	if err != nil {
		return nil, err
	}
	for _, args := range [][]string{
		{"machine", "stop", name},
		{"machine", "start", name},
		{"--machine", name, "up"},
		append([]string{"--machine", name, "load"}, archives...),
		{"machine", "connect", "host", name},
	} {
		if err := m.tool(ctx, args...); err != nil {
			return m, err
		}
	}
	m.Cluster, err = connect(ctx, c.Repository, "--machine", name)
	return m, err
}

// tool runs a command of hack/cluster.
func (m *Machine) tool(ctx context.Context, args ...string) error {
	return m.Repository.Tool(ctx, m.out, append([]string{"./cluster"}, args...)...)
}

// Partition lets the machine and the local cluster lose all packets for each other, until Heal.
func (m *Machine) Partition(ctx context.Context) error {
	return m.tool(ctx, "machine", "partition", "host", m.name)
}

// Heal ends a Partition.
func (m *Machine) Heal(ctx context.Context) error {
	return m.tool(ctx, "machine", "heal", "host", m.name)
}

// Stop removes the machine and its cluster.
func (m *Machine) Stop(ctx context.Context) error { return m.tool(ctx, "machine", "stop", m.name) }
