package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/cli/explain"
	"github.com/openservicemesh/osm-operator/internal/cli/output"
	"github.com/openservicemesh/osm-operator/internal/cli/remaining"
	"github.com/openservicemesh/osm-operator/internal/cli/tap"
	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/workload"
	"github.com/openservicemesh/osm-operator/internal/operator/clusterload"
)

// tapOptions are the flags that "osm tap" and "osm top" share.
type tapOptions struct {
	meshName string
	filter   tap.Filter
	form     output.Flag
}

func (o *tapOptions) addTo(a *app, cmd *cobra.Command) {
	a.addMeshAndOutput(cmd, &o.meshName, &o.form)
	flags := cmd.Flags()
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
permission to read the logs of the pods. Envoy writes them every second. In a mesh that logs a share of the requests, the sidecars log all of
them while the command runs, for which you need permission to patch the pods: an annotation says until when. Of a pod with two sidecar slots
both logs are read, and each line names its slot. A Telemetry with another format than the default hides the requests of its pods.`

func (a *app) tapCommand() *cobra.Command {
	o := &tapOptions{}
	cmd := &cobra.Command{
		Use:   "tap [KIND/NAME]",
		Short: "Show the requests of workloads as they happen",
		Long:  "Show HTTP requests and the ends of TCP connections of workloads as they happen, until interrupted.\n\n" + tapped,
		Example: `  osm tap deploy/bookstore-v1 -n bookstore
  osm tap -n bookstore --status 5xx --direction inbound
  osm tap --denied -o json`,
		Args: atMostOne,
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
		Args: atMostOne,
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
	t, err := a.beginTap(ctx, selected, o)
	if err != nil {
		return err
	}
	defer t.end()
	a.progress().setQuiet(true)
	a.note("[+] Following the requests of %s", podsInWords(t.pods))
	var failed error
	result, err := tap.Follow(ctx, sidecarsOf(t.pods), o.filter, t.logs, func(e tap.Event) {
		if o.form.ForPeople() {
			a.line("%s", lineOf(e))
		} else if err := o.form.Print(a.Out, output.Result{Data: e, Names: []string{"pod/" + e.Pod}}); err != nil {
			failed = err
		}
	})
	return errors.Join(failed, err, explainSilence(ctx, result))
}

func (a *app) top(ctx context.Context, selected string, o *tapOptions, period time.Duration) error {
	t, err := a.beginTap(ctx, selected, o)
	if err != nil {
		return err
	}
	defer t.end()
	a.progress().report("counting the requests of %s for %s", podsInWords(t.pods), period)
	timed, cancel := context.WithTimeout(ctx, period)
	defer cancel()
	top := tap.Top{Workload: func(pod tap.Pod) string {
		owner := workload.Of(t.pods[pod])
		return strings.ToLower(owner.Kind) + "/" + owner.Name
	}}
	result, err := tap.Follow(timed, sidecarsOf(t.pods), o.filter, t.logs, top.Add)
	if err := errors.Join(err, explainSilence(ctx, result)); err != nil {
		return err
	}
	rows := top.Rows(period)
	if len(rows) == 0 && o.form.ForPeople() {
		a.note("No requests in %s of %s", period, podsInWords(t.pods))
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

// maxTapped is the maximum number of pods whose logs are read at once.
const maxTapped = 50

// tapping is what a command looks at, until its end.
type tapping struct {
	pods map[tap.Pod]*corev1.Pod
	logs tap.Logs
	end  func()
}

// beginTap finds the running pods with a sidecar that a command selects, and makes their sidecars log every request until the end.
func (a *app) beginTap(ctx context.Context, selected string, o *tapOptions) (*tapping, error) {
	if err := o.filter.Check(); err != nil {
		return nil, err
	}
	c, m, err := a.open(ctx, o.meshName)
	if err != nil {
		return nil, err
	}
	pods, err := a.tappedPods(ctx, c, m, selected, o)
	if err != nil {
		return nil, err
	}
	view := meshView(ctx, c, m)
	if o.form.ForPeople() {
		a.noteWithoutDestinations(view, pods)
	}
	clients, err := a.kube.Clientset()
	if err != nil {
		return nil, err
	}
	return &tapping{pods: pods, logs: tap.Logs{Open: opener(clients, pods), Service: servicesOf(view)}, end: a.logAll(ctx, clients, view, pods)}, nil
}

// tappedPods returns the running pods with a sidecar that a command selects.
func (a *app) tappedPods(ctx context.Context, c client.Client, m mesh, selected string, o *tapOptions) (map[tap.Pod]*corev1.Pod, error) {
	namespaces, selects, err := a.tapSelection(m, selected)
	if err != nil {
		return nil, err
	}
	pods, err := podsWithSidecars(ctx, c, m, namespaces, selects)
	var outside error
	if len(namespaces) == 1 {
		outside = m.checkMember(namespaces[0])
	}
	switch {
	case err != nil:
		return nil, err
	case len(pods) == 0 && outside != nil:
		return nil, outside
	case len(pods) == 0 && selected != "":
		return nil, fmt.Errorf("no running pod with a sidecar belongs to %s in namespace %s: use pod/NAME, deploy/NAME or sa/NAME", selected, namespaces[0])
	case len(pods) == 0:
		return nil, fmt.Errorf("no running pod has a sidecar in %s", formatPlace(a.kube.OnlyNamespace(), m))
	case len(pods) > maxTapped:
		return nil, fmt.Errorf("%d pods are selected, at most %d logs are read at once: select a namespace by -n, or a workload", len(pods), maxTapped)
	}
	if outside != nil && o.form.ForPeople() {
		a.note("[!] Namespace %s is not part of mesh %s, and %s with a sidecar remained: %s: %s", namespaces[0], m.Name, podsInWords(pods), remaining.Effect, remaining.RestartAll(namespaces[0]))
	}
	return pods, nil
}

// meshView returns a view of the mesh; nil without permission to read it.
func meshView(ctx context.Context, c client.Client, m mesh) *catalog.View {
	loaded, err := clusterload.Load(ctx, c, m.Name, m.Namespace)
	if err != nil {
		return nil
	}
	return loaded.Catalog.View()
}

// servicesOf returns a function that names the Services of a view by address. Of a nil view there are none. It is called for one line at a time.
func servicesOf(view *catalog.View) func(netip.AddrPort) string {
	known := map[netip.AddrPort]string{}
	return func(address netip.AddrPort) string {
		name, isKnown := known[address]
		if view == nil || isKnown {
			return name
		}
		if port, found := view.ServicesAt([]netip.AddrPort{address})[address]; found {
			name = fmt.Sprintf("%s|%d", port.Service, port.Number)
		}
		known[address] = name
		return name
	}
}

// noteWithoutDestinations names the clients whose sidecars have no destination, so all their calls are denied.
func (a *app) noteWithoutDestinations(view *catalog.View, pods map[tap.Pod]*corev1.Pod) {
	if view == nil {
		return
	}
	for _, account := range withoutDestinations(view, pods) {
		a.note("[!] No policy allows %s to call anything: see `osm explain %s/sa/%s to B`", account, account.Namespace, account.Name)
	}
}

// withoutDestinations returns the accounts of pods in the mesh that may call nothing, sorted.
func withoutDestinations(v *catalog.View, pods map[tap.Pod]*corev1.Pod) []identity.ServiceAccount {
	accounts := map[identity.ServiceAccount]bool{}
	for _, p := range pods {
		pod := ingest.Pod(p)
		if v.InMesh(p.Namespace) && !v.AllowsEgress(p.Namespace) && !authz.HasDestinations(v, pod.Identity()) {
			accounts[pod.Identity()] = true
		}
	}
	return slices.SortedFunc(maps.Keys(accounts), identity.ServiceAccount.Compare)
}

// tapSelection returns the namespaces of a selection, and what selects pods in them.
func (a *app) tapSelection(m mesh, selected string) ([]string, func(*corev1.Pod) bool, error) {
	everything := func(*corev1.Pod) bool { return true }
	if selected == "" && a.kube.OnlyNamespace() == "" {
		return m.Members, everything, nil
	}
	namespace, err := a.kube.Namespace()
	if err != nil {
		return nil, nil, err
	}
	if selected == "" {
		return []string{namespace}, everything, nil
	}
	reference, err := explain.ParseReference(selected, namespace)
	if err != nil {
		return nil, nil, err
	}
	if reference.Peer != "" {
		return nil, nil, fmt.Errorf("%s is an account of a peer, whose pods are in another cluster: run the command there", reference)
	}
	return []string{reference.Namespace}, func(p *corev1.Pod) bool { return isSelected(p, reference) }, nil
}

func podsWithSidecars(ctx context.Context, c client.Client, m mesh, namespaces []string, selects func(*corev1.Pod) bool) (map[tap.Pod]*corev1.Pod, error) {
	found := map[tap.Pod]*corev1.Pod{}
	pods, err := sidecarPods(ctx, c, m, namespaces)
	for _, p := range pods {
		if selects(p) {
			found[tap.Pod{Namespace: p.Namespace, Name: p.Name}] = p
		}
	}
	return found, err
}

// isSelected reports whether a pod is the one of a reference, or belongs to its workload or account. A name without a kind can be any of them.
func isSelected(p *corev1.Pod, r explain.Reference) bool {
	owner := workload.Of(p)
	matches := map[string]bool{
		explain.KindPod: p.Name == r.Name, explain.KindServiceAccount: p.Spec.ServiceAccountName == r.Name, strings.ToLower(owner.Kind): owner.Name == r.Name,
	}
	if r.Kind != "" {
		return matches[r.Kind]
	}
	return matches[explain.KindPod] || matches[strings.ToLower(owner.Kind)]
}

func keysOf(pods map[tap.Pod]*corev1.Pod) []tap.Pod {
	return slices.SortedFunc(maps.Keys(pods), func(a, b tap.Pod) int { return strings.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name) })
}

func podsInWords(pods map[tap.Pod]*corev1.Pod) string {
	if keys := keysOf(pods); len(keys) == 1 {
		return "pod " + keys[0].Namespace + "/" + keys[0].Name
	}
	return fmt.Sprintf("%d pods", len(pods))
}

// lineOf is an event for people.
func lineOf(e tap.Event) string {
	arrow, peer := "<-", orDash(e.Peer)
	if e.Direction == tap.Outbound {
		arrow = "->"
	}
	what := fmt.Sprintf("%s %s %d", e.Method, e.Path, e.Status)
	switch {
	case e.Address != "":
		what = "TCP to " + e.Address + " closed at the client"
	case !e.IsRequest():
		what = fmt.Sprintf("TCP %d bytes received, %d sent", e.Received, e.Sent)
	}
	pod := e.Namespace + "/" + e.Pod
	if e.Slot != "" {
		pod += " (" + e.Slot + ")"
	}
	line := fmt.Sprintf("%s %s %s %s  %s  %s", e.Time.Local().Format("15:04:05.000"), pod, arrow, peer, what, milliseconds(e.Milliseconds))
	if e.DeniedBy != "" {
		line += "  denied by " + e.DeniedBy
	} else if e.Flags != "" {
		line += "  " + e.Flags + " " + e.Details
	}
	return line
}

func topTable(rows []tap.Row) output.Table {
	table := output.Table{Columns: output.Columns("NAMESPACE", "WORKLOAD", "DIRECTION", "PEER", "METHOD", "PATH", "COUNT", "RPS", "SUCCESS", "DENIED",
		"DENIED BY", "BEST", "MEDIAN", "WORST")}
	for _, r := range rows {
		table.Rows = append(table.Rows, []string{
			r.Namespace, r.Workload, r.Direction, orDash(r.Peer), orDash(r.Method), orDash(r.Path), fmt.Sprint(r.Count), fmt.Sprintf("%.1f", r.Rate),
			optionally(r.Success, func(v float64) string { return fmt.Sprintf("%.2f%%", 100*v) }), fmt.Sprint(r.Denied), orDash(r.DeniedBy),
			milliseconds(r.Best), milliseconds(r.Median), milliseconds(r.Worst),
		})
	}
	return table
}
