package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os/exec"
	"runtime/debug"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/go-logr/logr"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/openservicemesh/osm-operator/internal/testing/bench/endtoend"
	"github.com/openservicemesh/osm-operator/internal/testing/bench/mesh"
	"github.com/openservicemesh/osm-operator/internal/testing/bench/server"
)

const (
	// identities is the number of certificates that are renewed at once, and renewedSidecars the number of sidecars with one of them.
	identities, renewedSidecars = 2000, identities * mesh.PodsPerService
	// idleChanges is the number of changes measured before.
	idleChanges = 50
)

// renewals measures the renewal of all certificates of a mesh at once, and how long changes of endpoints take meanwhile.
func renewals(out io.Writer) error {
	t, err := newTestbed(shape{mesh.Policy, renewedSidecars}, nil)
	if err != nil {
		return err
	}
	s := t.session(server.Ours)
	if err := s.firstSync(); err != nil {
		return err
	}
	r, err := s.renewAll()
	if err != nil {
		return err
	}
	if err := s.stop(); err != nil {
		return err
	}
	return r.write(out)
}

// renewed is the measurement of a renewal.
type renewed struct {
	// idle and during are the durations of changes in seconds, before and during the renewal.
	idle, during []float64
	// wall and cpu are those of the renewal, in seconds. The CPU time of the changes is subtracted.
	wall, cpu float64
}

// renewAll renews all certificates while endpoints change.
func (s *session) renewAll() (renewed, error) {
	var r renewed
	var each []float64
	for range idleChanges {
		one, err := s.change(mesh.Endpoint)
		if err != nil {
			return r, err
		}
		r.idle, each = append(r.idle, one[changeP50]), append(each, one[changeCPU])
	}
	begun, err := s.child.do(server.Command{Task: server.Renew})
	if err != nil {
		return r, err
	}
	now := begun
	for now.Renewed < identities {
		one, err := s.change(mesh.Endpoint)
		if err != nil {
			return r, err
		}
		r.during = append(r.during, one[changeP50])
		if now, err = s.child.do(server.Command{Task: server.AwaitRequests}); err != nil {
			return r, err
		}
		if span(begun.At, now.At) > s.timeout().Seconds() {
			return r, fmt.Errorf("%d of %d certificates are renewed after %s", now.Renewed, identities, s.timeout())
		}
	}
	now, err = s.untilIdle()
	r.wall, r.cpu = span(begun.At, now.At), span(begun.CPU, now.CPU)-median(each)*float64(len(r.during))
	return r, err
}

// write writes the table.
func (r renewed) write(out io.Writer) error {
	perRenewal := r.cpu / identities
	// Each certificate is renewed at two thirds of its lifetime.
	perSecond := identities / (server.RenewedLifetime.Seconds() * 2 / 3)
	fmt.Fprintf(out, "\nRenewal of %d certificates at once, for %d sidecars\n", identities, renewedSidecars)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "renewed and acknowledged\t%.1f s, %.0f a second\n", r.wall, identities/r.wall)
	fmt.Fprintf(w, "CPU time of a renewal\t%s\n", seconds(perRenewal))
	fmt.Fprintf(w, "with a lifetime of %s\t%.0f renewals a second, %.1f%% of a core\n", server.RenewedLifetime, perSecond, perSecond*perRenewal*100)
	for _, row := range []struct {
		name string
		of   []float64
	}{{"change of an endpoint before", r.idle}, {"change of an endpoint meanwhile", r.during}} {
		fmt.Fprintf(w, "%s\tp50 %s, p99 %s, max %s (%d changes)\n", row.name, seconds(median(row.of)), seconds(quantile(row.of, 0.99)), seconds(slices.Max(row.of)), len(row.of))
	}
	return w.Flush()
}

// endToEndChanges is the number of changes of each kind.
const endToEndChanges = 200

// rareGCPercent keeps the simulated sidecars from collecting garbage while a change of a route reaches them.
const rareGCPercent = 800

// endToEndKinds are the kinds of changes in each mode.
var endToEndKinds = map[mesh.Mode][]mesh.Kind{
	mesh.Policy:  {mesh.Endpoint, mesh.Rules, mesh.Grant, mesh.NewService},
	mesh.Visible: {mesh.Endpoint, mesh.NewService},
}

// endToEnds measures one mesh in each mode with a real API server, or the start of a controller in a mesh without connected sidecars.
func (o options) endToEnds(out io.Writer) error {
	modes, usual := []mesh.Mode{mesh.Policy, mesh.Visible}, "500"
	if o.routes > 0 {
		modes = modes[:1]
	}
	start := func(c *exec.Cmd) error { return startOn(c, serverCore) }
	switch {
	case o.cold:
		modes, usual = modes[:1], "10000"
	case o.routes > 0:
		// All programs use all cores, as pods do without a limit: otherwise a change waits while the controller, or this process, collects garbage.
		start = (*exec.Cmd).Start
		debug.SetGCPercent(rareGCPercent)
	default:
		if err := pinSelf(clientCore); err != nil {
			return err
		}
	}
	ctrllog.SetLogger(logr.Discard())
	sizes, err := numbers(cmp.Or(o.sizes, usual))
	if err != nil {
		return err
	}
	for _, mode := range modes {
		for _, sidecars := range sizes {
			if o.only != "" && o.only != string(mode) {
				continue
			}
			kinds, routes := endToEndKinds[mode], 0
			switch {
			case o.cold:
				kinds = nil
			case o.routes > 0:
				services := mesh.New(mode, sidecars).Services
				kinds, routes = []mesh.Kind{mesh.Nothing, mesh.Route}, (o.routes+services-1)/services
			}
			r, err := endtoend.Measure(context.Background(), endtoend.Options{
				Mode: mode, Sidecars: sidecars, Changes: endToEndChanges, Routes: routes, Start: start,
			}, kinds...)
			if err != nil {
				return fmt.Errorf("%s, %d sidecars: %w", mode, sidecars, err)
			}
			if err := writeEndToEnd(out, mode, sidecars, r); err != nil {
				return err
			}
		}
	}
	return nil
}

func writeEndToEnd(out io.Writer, mode mesh.Mode, sidecars int, r *endtoend.Result) error {
	fmt.Fprintf(out, "\nFrom the API server to %d sidecars, %s\n", sidecars, mode)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "start until ready\t%s, CPU %s, %.1f MB, at most %.1f MB\n",
		r.Started.Round(time.Millisecond), r.StartCPU.Round(time.Millisecond), float64(r.Before)/1e6, float64(r.Peak)/1e6)
	if len(r.Changes) == 0 {
		return w.Flush()
	}
	fmt.Fprintf(w, "first sync of all\t%s, CPU %s, %.1f MB\n", r.Sync.Round(time.Millisecond), r.SyncCPU.Round(time.Millisecond), float64(r.After)/1e6)
	fmt.Fprintln(w, "CHANGE\tP50\tP99\tAFTER THE ANSWER\tP99\tCPU\tSENT\tSTATUS WRITES\tEVENTS\tNEEDLESS")
	for _, c := range r.Changes {
		at := func(sorted []time.Duration, share float64) time.Duration {
			return sorted[min(int(share*float64(len(sorted))), len(sorted)-1)].Round(10 * time.Microsecond)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%.1f kB\t%.1f\t%.1f\t%d\n",
			c.Kind, at(c.Times, 0.5), at(c.Times, 0.99), at(c.Delivered, 0.5), at(c.Delivered, 0.99), c.CPU.Round(10*time.Microsecond), c.Bytes/1e3,
			c.Status, c.Events, c.Needless)
	}
	return w.Flush()
}
