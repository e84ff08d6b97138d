package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/go-logr/logr"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/openservicemesh/osm-operator/internal/testing/bench/endtoend"
)

// podsOfNamespace is how many pods each namespace of the operator's mesh has.
const podsOfNamespace = 20

// operators measures what events of a large mesh cost the real osm-operator.
func (o options) operators(out io.Writer) error {
	ctrllog.SetLogger(logr.Discard())
	sizes, err := numbers(cmp.Or(o.sizes, "10000"))
	if err != nil {
		return err
	}
	for _, pods := range sizes {
		size := endtoend.Size{Namespaces: max(1, pods/podsOfNamespace), Pods: pods}
		r, err := endtoend.MeasureOperator(context.Background(), size, func(step string) { fmt.Fprintln(out, step+" ...") })
		if err != nil {
			return err
		}
		if err := writeOperator(out, size, r); err != nil {
			return err
		}
	}
	return nil
}

func writeOperator(out io.Writer, size endtoend.Size, r *endtoend.OperatorResult) error {
	fmt.Fprintf(out, "\nosm-operator, %d pods in %d namespaces: %.2f%% of a core idle before they exist, %.1f MB, at most %.1f MB, status of the Mesh %.1f kB\n",
		size.Pods, size.Namespaces, 100*r.Idle, float64(r.Resident)/1e6, float64(r.Peak)/1e6, float64(r.Status)/1e3)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "EVENT\tCPU\tREQUESTS\tTIME OF THE WRITES")
	for _, event := range r.Events {
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\n", event.Name, event.CPU.Round(time.Millisecond), event.Requests, event.Took.Round(time.Millisecond))
	}
	return w.Flush()
}
