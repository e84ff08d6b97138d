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

// endToEndChanges is the number of changes of each kind.
const endToEndChanges = 200

// endToEndKinds are the kinds of changes in each mode.
var endToEndKinds = map[mesh.Mode][]mesh.Kind{
	mesh.Policy:  {mesh.Endpoint, mesh.Rules, mesh.Grant, mesh.NewService},
	mesh.Visible: {mesh.Endpoint, mesh.NewService},
}

// endToEnds measures one mesh in each mode with a real API server, or the start of a controller in a mesh without connected sidecars.
func (o options) endToEnds(out io.Writer) error {
	modes, usual := []mesh.Mode{mesh.Policy, mesh.Visible}, "500"
	if o.cold {
		modes, usual = modes[:1], "10000"
	} else if err := pinSelf(clientCore); err != nil {
		return err
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
			kinds := endToEndKinds[mode]
			if o.cold {
				kinds = nil
			}
			r, err := endtoend.Measure(context.Background(), endtoend.Options{
				Mode: mode, Sidecars: sidecars, Changes: endToEndChanges, Start: func(c *exec.Cmd) error { return startOn(c, serverCore) },
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
