package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/openservicemesh/osm-operator/internal/testing/bench/fleet"
	"github.com/openservicemesh/osm-operator/internal/testing/bench/flood"
	"github.com/openservicemesh/osm-operator/internal/testing/bench/mesh"
	"github.com/openservicemesh/osm-operator/internal/testing/bench/server"
)

const (
	// floodedSidecars is the number of connected sidecars, floodedJoins the number of those that connect in each phase.
	floodedSidecars, floodedJoins = 200, 100
	// floodedChanges is the number of changes in each phase.
	floodedChanges = 200
	// joinLimit is how long a new sidecar may wait for its first response.
	joinLimit = time.Minute
)

// floods are the floods in the order of their measurement: at the limits of docs/security/limits.md, and above them.
var floods = []struct {
	name   string
	kind   flood.Kind
	limits flood.Limits
}{
	{"at the limits", flood.Silent, flood.Limits{Addresses: 16, PerAddress: 256, PerSecond: 1000}},
	{"four times the limit of an address", flood.Silent, flood.Limits{Addresses: 4, PerAddress: 1024, PerSecond: 1000}},
	{"twice the limit of all", flood.Silent, flood.Limits{Addresses: 32, PerAddress: 256, PerSecond: 1000}},
	{"twice the limit of all", flood.Handshakes, flood.Limits{Addresses: 32, PerAddress: 256, PerSecond: 300}},
}

// measureFloods measures changes of endpoints and new sidecars, without a flood and during each.
func (o options) measureFloods(out io.Writer) error {
	if err := pinSelf(clientCore); err != nil {
		return fmt.Errorf("this process cannot be kept on one core: %w", err)
	}
	signer, err := fleet.NewSigner()
	if err != nil {
		return err
	}
	a, err := newTestbed(plan{syncs: 1}, measured{mode: mesh.Policy, sidecars: floodedSidecars, of: floodedSidecars + floodedJoins}, signer, o.profiles)
	if err != nil {
		return err
	}
	a.setup.Addresses, a.fleet.Addresses = true, true
	s := a.session(server.Ours)
	if err := s.firstSyncs(); err != nil {
		return err
	}
	newcomers := make([]string, floodedJoins)
	for i := range newcomers {
		if newcomers[i], err = signer.Token(s.mesh, floodedSidecars+i); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "\n%d sidecars, %d changes of an endpoint and %d new sidecars in each row\n", floodedSidecars, floodedChanges, floodedJoins)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "FLOOD\tOPENED\tCLOSED BY THE SERVER\tCHANGE P50\tP99\tNEW SIDECAR P50\tLONGEST\tCPU")
	if err := s.underFlood(w, "none", newcomers, nil); err != nil {
		return err
	}
	for _, one := range floods {
		f := flood.Start(s.child.address, s.tls, one.kind, one.limits)
		err := s.underFlood(w, fmt.Sprintf("%s, %s", one.kind, one.name), newcomers, f)
		f.Stop()
		if err != nil {
			return err
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return s.stop()
}

// fill is how long a flood lasts before the measurement.
const fill = 10 * time.Second

// underFlood measures one row, in which sidecars with these tokens connect. All others must stay connected.
func (s *session) underFlood(out io.Writer, name string, newcomers []string, f *flood.Flood) error {
	if f != nil {
		time.Sleep(fill)
	}
	begun, err := s.child.do(server.Command{Task: server.AwaitRequests})
	if err != nil {
		return err
	}
	var changes, joins []float64
	for range floodedChanges {
		one, err := s.change(mesh.Endpoint)
		if err != nil {
			return fmt.Errorf("%s: a change: %w", name, err)
		}
		changes = append(changes, one.wall)
	}
	for i, token := range newcomers {
		joined, err := s.join(floodedSidecars+i, token)
		if err != nil {
			return fmt.Errorf("%s: a new sidecar: %w", name, err)
		}
		joins = append(joins, joined.Seconds())
	}
	ended, err := s.child.do(server.Command{Task: server.AwaitRequests})
	if err != nil {
		return err
	}
	if err := s.fleet.Err(); err != nil {
		return fmt.Errorf("%s: a connected sidecar: %w", name, err)
	}
	var opened, closed int64
	if f != nil {
		opened, closed = f.Opened(), f.Closed()
	}
	share := span(begun.CPU, ended.CPU) / span(begun.At, ended.At)
	fmt.Fprintf(out, "%s\t%d\t%d\t%s\t%s\t%s\t%s\t%.0f%% of a core\n", name, opened, closed,
		seconds(median(changes)), seconds(quantile(changes, 0.99)), seconds(median(joins)), seconds(slices.Max(joins)), 100*share)
	return nil
}

// join connects one more sidecar and returns the time until its first response.
func (s *session) join(sidecar int, token string) (time.Duration, error) {
	ctx, stop := context.WithTimeout(context.Background(), joinLimit)
	defer stop()
	return s.fleet.Join(ctx, s.mesh, sidecar, token, s.child.address, s.tls)
}
