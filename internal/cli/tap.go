package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/openservicemesh/osm-operator/internal/cli/output"
	"github.com/openservicemesh/osm-operator/internal/cli/tap"
	"github.com/openservicemesh/osm-operator/internal/mesh/workload"
)

// tapOptions are the flags that "osm tap" and "osm top" share.
type tapOptions struct {
	meshName string
	filter   tap.Filter
	form     output.Flag
}

func (o *tapOptions) addTo(a *app, cmd *cobra.Command) {
	a.addMeshName(cmd, &o.meshName, "")
	o.addFilter(cmd.Flags())
	o.form.AddTo(cmd.Flags())
}

func (o *tapOptions) addFilter(flags *pflag.FlagSet) {
	flags.StringVar(&o.filter.Direction, "direction", "", "only inbound or outbound requests of the selected pods")
	flags.StringVar(&o.filter.Method, "method", "", "only requests with this method")
	flags.StringVar(&o.filter.Path, "path", "", "only requests whose path begins so")
	flags.StringVar(&o.filter.Status, "status", "", "only responses with this code, or of this class, such as 5xx")
	flags.StringVar(&o.filter.Peer, "peer", "", "only requests whose client identity or upstream cluster contains this text")
	flags.BoolVar(&o.filter.Denied, "denied", false, "only what a policy denied")
}

// tapped describes how pods are selected, for the help of both commands.
const tapped = `Select a pod, a workload or a service account as in "osm explain": pod/web-0, deploy/web, sa/web. Without an argument, all pods with a sidecar in the
namespace are selected, or in all namespaces of the mesh without -n. The requests are those in the access logs of the sidecars, so you need
permission to read the logs of the pods. Envoy writes them every second. A Telemetry with another format than the default hides the requests of its pods.`

func (a *app) tapCommand() *cobra.Command {
	o := &tapOptions{}
	cmd := &cobra.Command{
		Use:   "tap [KIND/NAME]",
		Short: "Show the requests of workloads as they happen",
		Long:  "Show HTTP requests and the ends of TCP connections of workloads as they happen, until interrupted.\n\n" + tapped,
		Example: `  osm tap deploy/bookstore-v1 -n bookstore
  osm tap -n bookstore --status 5xx --direction inbound
  osm tap --denied -o json`,
		Args: func(cmd *cobra.Command, args []string) error { return exactly(min(len(args), 1), "")(cmd, args) },
		RunE: a.run(func(ctx context.Context, args []string) error { return a.tap(ctx, strings.Join(args, ""), o) }),
	}
	o.addTo(a, cmd)
	return cmd
}

func (a *app) topCommand() *cobra.Command {
	o := &tapOptions{}
	var period time.Duration
	cmd := &cobra.Command{
		Use:   "top [KIND/NAME]",
		Short: "Show the busiest routes of workloads",
		Long:  "Count the HTTP requests and TCP connections of workloads for some seconds, and show a row for each peer, method and path, the busiest first.\n\n" + tapped,
		Example: `  osm top
  osm top deploy/bookstore-v1 -n bookstore --for 30s --direction inbound`,
		Args: func(cmd *cobra.Command, args []string) error { return exactly(min(len(args), 1), "")(cmd, args) },
		RunE: a.run(func(ctx context.Context, args []string) error {
			if period < time.Second {
				return fmt.Errorf("invalid --for %s: use at least 1s", period)
			}
			return a.top(ctx, strings.Join(args, ""), o, period)
		}),
	}
	o.addTo(a, cmd)
	cmd.Flags().DurationVar(&period, "for", 30*time.Second, "how long requests are counted")
	return cmd
}

func (a *app) tap(ctx context.Context, selected string, o *tapOptions) error {
	pods, logs, err := a.tappedPods(ctx, selected, o)
	if err != nil {
		return err
	}
	a.progress().setQuiet(true)
	a.note("[+] Following the requests of %s", podsInWords(pods))
	var failed error
	result, err := tap.Follow(ctx, keysOf(pods), o.filter, opener(logs), func(e tap.Event) {
		if o.form.ForPeople() {
			a.line("%s", lineOf(e))
		} else if err := o.form.Print(a.Out, output.Result{Data: e, Names: []string{"pod/" + e.Pod}}); err != nil {
			failed = err
		}
	})
	return errors.Join(failed, err, explainSilence(ctx, result))
}

func (a *app) top(ctx context.Context, selected string, o *tapOptions, period time.Duration) error {
	pods, logs, err := a.tappedPods(ctx, selected, o)
	if err != nil {
		return err
	}
	a.progress().report("counting the requests of %s for %s", podsInWords(pods), period)
	timed, cancel := context.WithTimeout(ctx, period)
	defer cancel()
	top := tap.Top{Workload: func(pod tap.Pod) string {
		owner := workload.Of(pods[pod])
		return strings.ToLower(owner.Kind) + "/" + owner.Name
	}}
	result, err := tap.Follow(timed, keysOf(pods), o.filter, opener(logs), top.Add)
	if err := errors.Join(err, explainSilence(ctx, result)); err != nil {
		return err
	}
	rows := top.Rows(period)
	if len(rows) == 0 && o.form.ForPeople() {
		a.note("No requests in %s of %s", period, podsInWords(pods))
		return nil
	}
	return o.form.Print(a.Out, output.Result{Data: rows, Table: topTable(rows)})
}

// explainSilence returns an error if no line of the logs was in the format of OSM, although there were lines.
func explainSilence(ctx context.Context, r tap.Result) error {
	if ctx.Err() == nil && r.Events == 0 && r.Others > 0 {
		return errors.New("the logs have no requests in the default format: a Telemetry may change the format of these pods, see `kubectl get telemetries -A`")
	}
	return nil
}
