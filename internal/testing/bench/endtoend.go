package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os/exec"
	"text/tabwriter"
	"time"

	"github.com/go-logr/logr"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/openservicemesh/osm-operator/internal/testing/bench/endtoend"
	"github.com/openservicemesh/osm-operator/internal/testing/bench/mesh"
)

// endToEndChanges is the number of changes of each kind, endToEndSizes the default of -sizes with -endtoend.
const (
	endToEndChanges = 200
	endToEndSizes   = "500"
	// coldStartSizes is the default with -coldstart.
	coldStartSizes = "10000"
)

// endToEnds measures one mesh in each mode with a real API server.
func (o options) endToEnds(out io.Writer) error {
	if err := pinSelf(clientCore); err != nil {
		return fmt.Errorf("this process cannot be kept on one core: %w", err)
	}
	ctrllog.SetLogger(logr.Discard())
	sizes, err := numbers(cmp.Or(o.sizes, endToEndSizes))
	if err != nil {
		return err
	}
	for _, mode := range []mesh.Mode{mesh.Policy, mesh.Visible} {
		if o.only != "" && o.only != string(mode) {
			continue
		}
		kinds := []mesh.Kind{mesh.Endpoint, mesh.NewService}
		if mode == mesh.Policy {
			kinds = []mesh.Kind{mesh.Endpoint, mesh.Rules, mesh.Grant, mesh.NewService}
		}
		for _, sidecars := range sizes {
			result, err := endtoend.Measure(context.Background(), endtoend.Options{
				Mode: mode, Sidecars: sidecars, Changes: endToEndChanges, Start: func(c *exec.Cmd) error { return startOn(c, serverCore) },
			}, kinds...)
			if err != nil {
				return fmt.Errorf("%s, %d sidecars: %w", mode, sidecars, err)
			}
			if err := writeEndToEnd(out, mode, sidecars, result); err != nil {
				return err
			}
		}
	}
	return nil
}

// coldStart measures the start of a controller in a mesh without connected sidecars.
func (o options) coldStart(out io.Writer) error {
	ctrllog.SetLogger(logr.Discard())
	sizes, err := numbers(cmp.Or(o.sizes, coldStartSizes))
	if err != nil {
		return err
	}
	for _, sidecars := range sizes {
		m := mesh.New(mesh.Policy, sidecars)
		r, err := endtoend.Measure(context.Background(), endtoend.Options{
			Mode: m.Mode, Sidecars: sidecars, Start: func(c *exec.Cmd) error { return startOn(c, serverCore) },
		})
		if err != nil {
			return fmt.Errorf("%d pods: %w", sidecars, err)
		}
		fmt.Fprintf(out, "start with %d pods, %d Services, %d policies: ready after %s, CPU %s, %.1f MB, at most %.1f MB\n",
			sidecars, m.Services, 2*m.Services, r.Started.Round(time.Millisecond), r.StartCPU.Round(time.Millisecond), float64(r.Before)/1e6, float64(r.Peak)/1e6)
	}
	return nil
}

func writeEndToEnd(out io.Writer, mode mesh.Mode, sidecars int, r *endtoend.Result) error {
	fmt.Fprintf(out, "\nFrom the API server to %d sidecars, %s\n", sidecars, mode)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "start until ready\t%s, CPU %s, %.1f MB\n", r.Started.Round(time.Millisecond), r.StartCPU.Round(time.Millisecond), float64(r.Before)/1e6)
	fmt.Fprintf(w, "first sync of all\t%s, CPU %s, %.1f MB\n", r.Sync.Round(time.Millisecond), r.SyncCPU.Round(time.Millisecond), float64(r.After)/1e6)
	fmt.Fprintln(w, "CHANGE\tP50\tP99\tCPU\tSENT\tSTATUS WRITES\tEVENTS\tNEEDLESS")
	for _, c := range r.Changes {
		at := func(share float64) time.Duration {
			return c.Times[min(int(share*float64(len(c.Times))), len(c.Times)-1)].Round(10 * time.Microsecond)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%.1f kB\t%.1f\t%.1f\t%d\n",
			c.Kind, at(0.5), at(0.99), c.CPU.Round(10*time.Microsecond), c.Bytes/1e3, c.Status, c.Events, c.Needless)
	}
	return w.Flush()
}
