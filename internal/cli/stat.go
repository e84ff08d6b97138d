package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/cli/output"
	"github.com/openservicemesh/osm-operator/internal/cli/stat"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/platform/prometheus"
)

// defaultWindow has four scrapes of the interval that the operator configures.
const defaultWindow = time.Minute

// statOptions are the flags of osm stat.
type statOptions struct {
	meshName, address string
	window            time.Duration
	form              output.Flag
}

func (a *app) statCommand() *cobra.Command {
	o := &statOptions{}
	cmd := &cobra.Command{
		Use:   "stat [workloads|services|routes]",
		Short: "Show the rates, success and latency of workloads, Services or routes",
		Long: `Show the HTTP requests and TCP connections to each workload or Service, as counted by the sidecars of the servers. The columns are
rates, the share of requests without a status of 500 or more, denials, and latencies. Routes are those of policies: what their
HTTPRouteGroups match. With -n, show the rows of one namespace.

The numbers come from the Prometheus that the Mesh runs (spec.observability.prometheus.mode Managed), or from --prometheus.`,
		Example: `  osm stat
  osm stat services -n bookstore
  osm stat routes -n bookstore
  osm stat --prometheus http://localhost:9090 --window 5m -o json`,
		ValidArgs: []string{string(stat.Workloads), string(stat.Services), string(stat.Routes)},
		Args:      cobra.MaximumNArgs(1),
		RunE: a.run(func(ctx context.Context, args []string) error {
			group := stat.Workloads
			if len(args) > 0 {
				group = statGroup(args[0])
			}
			return a.stat(ctx, group, o)
		}),
	}
	a.addMeshAndOutput(cmd, &o.meshName, &o.form)
	cmd.Flags().StringVar(&o.address, "prometheus", "", "URL of a Prometheus that scrapes the mesh (default: the one that the Mesh runs)")
	cmd.Flags().DurationVar(&o.window, "window", defaultWindow, "time over which rates are averaged")
	return cmd
}

// statGroups maps the words of kubectl to the groups of statistics.
var statGroups = map[string]stat.Group{
	"workload": stat.Workloads, "deploy": stat.Workloads, "deployment": stat.Workloads, "sts": stat.Workloads, "statefulset": stat.Workloads,
	"ds": stat.Workloads, "daemonset": stat.Workloads,
	"svc": stat.Services, "service": stat.Services, "route": stat.Routes, "httproutegroup": stat.Routes, "htr": stat.Routes,
}

// statGroup returns the group of a word, in the singular or plural.
func statGroup(word string) stat.Group {
	word = strings.ToLower(word)
	if group, known := statGroups[strings.TrimSuffix(word, "s")]; known {
		return group
	}
	if group, known := statGroups[word]; known {
		return group
	}
	return stat.Group(word)
}

func (a *app) stat(ctx context.Context, group stat.Group, o *statOptions) error {
	if !slices.Contains(stat.Groups(), group) {
		return fmt.Errorf("unknown statistics %q: use %s, %s or %s", group, stat.Workloads, stat.Services, stat.Routes)
	}
	if o.window < time.Second {
		return fmt.Errorf("invalid --window %s: use at least two scrape intervals, for example %s", o.window, defaultWindow)
	}
	c, m, err := a.open(ctx, o.meshName)
	if err != nil {
		return err
	}
	server, err := a.prometheusOf(ctx, c, m, o.address)
	if err != nil {
		return err
	}
	query := stat.Query{Group: group, Namespace: a.kube.OnlyNamespace(), Window: o.window, At: time.Now()}
	rows, err := stat.Read(ctx, prometheus.New(nil), server, query)
	if err != nil {
		return err
	}
	silent, err := namespacesWithoutMetrics(ctx, c, m, query.Namespace)
	if err != nil {
		return err
	}
	enable := "enable them with `osm metrics enable --namespace " + strings.Join(silent, ",") + "`"
	switch {
	case len(rows) > 0 && len(silent) > 0 && o.form.ForPeople():
		a.note("Without metrics: %s; %s", strings.Join(silent, ", "), enable)
	case len(rows) == 0 && len(silent) > 0 && o.form.ForPeople():
		return fmt.Errorf("metrics are not enabled in %s: %s, and wait for the next scrape", strings.Join(silent, ", "), enable)
	case len(rows) == 0 && o.form.ForPeople():
		return errors.New("there are no metrics of workloads for this query: check that Prometheus scrapes the sidecars, and that there was traffic")
	}
	return o.form.Print(a.Out, statTable(group, rows))
}

// namespacesWithoutMetrics returns the namespaces of a mesh, or the one that is selected, whose pods are not scraped, sorted.
func namespacesWithoutMetrics(ctx context.Context, c client.Client, m mesh, selected string) ([]string, error) {
	var members corev1.NamespaceList
	if err := c.List(ctx, &members, client.MatchingLabels{names.MonitoredByLabel: m.Name}); err != nil {
		return nil, err
	}
	var silent []string
	for i := range members.Items {
		ns := &members.Items[i]
		scraped := slices.Contains([]string{"enabled", "yes", "true"}, strings.ToLower(ns.Annotations[names.MetricsAnnotation]))
		if !scraped && (selected == "" || selected == ns.Name) {
			silent = append(silent, ns.Name)
		}
	}
	slices.Sort(silent)
	return silent, nil
}

// prometheusOf returns the Prometheus at an address, or the one that runs in the namespace of the mesh.
func (a *app) prometheusOf(ctx context.Context, c client.Client, m mesh, address string) (prometheus.Target, error) {
	if address != "" {
		return prometheus.Target{Address: address}, nil
	}
	page := dashboardPages["prometheus"]
	pod, err := page.runningPod(ctx, c, m)
	if err != nil {
		return prometheus.Target{}, fmt.Errorf("%w, or name another one by --prometheus. `osm top` needs none: it counts the requests of some seconds", err)
	}
	local, err := a.kube.Forward(ctx, m.Namespace, pod, 0, int(page.port))
	return prometheus.Target{Address: "http://" + local}, err
}

func statTable(group stat.Group, rows []stat.Row) output.Result {
	names := []string{"NAMESPACE", "NAME", "RPS", "SUCCESS", "DENIED/S", "P50", "P95", "P99"}
	if group == stat.Routes {
		names = slices.Insert(names, 2, "ROUTE")
	} else {
		names = append(names, "TCP CONN/S", "TCP BYTES/S")
	}
	return output.List(rows, rows, output.Columns(names...), func(r stat.Row) (string, []string) {
		cells := []string{
			r.Namespace, nameOfRow(r), fmt.Sprintf("%.1f", r.Requests), optionally(r.Success, func(v float64) string { return fmt.Sprintf("%.2f%%", 100*v) }),
			fmt.Sprintf("%.1f", r.Denied), optionally(r.P50, milliseconds), optionally(r.P95, milliseconds), optionally(r.P99, milliseconds),
		}
		if group == stat.Routes {
			cells = slices.Insert(cells, 2, r.Route)
		} else {
			cells = append(cells, fmt.Sprintf("%.1f", r.Connections), fmt.Sprintf("%.0f", r.Bytes))
		}
		return nameOfRow(r), cells
	})
}

// nameOfRow is the name of a workload or Service as kubectl writes it.
func nameOfRow(r stat.Row) string { return strings.ToLower(r.Kind) + "/" + r.Name }

func milliseconds(v float64) string { return fmt.Sprintf("%.0fms", v) }

// optionally formats a number, or returns "-" for nil.
func optionally(value *float64, format func(float64) string) string {
	if value == nil {
		return "-"
	}
	return format(*value)
}
