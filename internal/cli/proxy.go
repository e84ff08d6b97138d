package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/cli/kube"
	"github.com/openservicemesh/osm-operator/internal/cli/output"
	"github.com/openservicemesh/osm-operator/internal/cli/sidecartable"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

func (a *app) proxyCommand() *cobra.Command {
	return group("proxy", "Inspect sidecars", nil,
		a.proxyAdminCommand("get", http.MethodGet, "Query the Envoy admin interface of a pod", `  osm proxy get config_dump bookbuyer-5c797ff5f4-tck47 -n bookbuyer
  osm proxy get routes bookbuyer-5c797ff5f4-tck47 -n bookbuyer
  osm proxy get clusters bookbuyer-5c797ff5f4-tck47 -n bookbuyer -f clusters.txt
  osm proxy get stats bookbuyer-5c797ff5f4-tck47 -n bookbuyer --slot envoy-standby`),
		a.proxyAdminCommand("set", http.MethodPost, "Send a command to the Envoy admin interface of a pod", `  osm proxy set 'logging?level=debug' bookbuyer-5c797ff5f4-tck47 -n bookbuyer
  osm proxy set reset_counters bookbuyer-5c797ff5f4-tck47 -n bookbuyer`),
		a.proxyStatusCommand())
}

// adminTimeout bounds a request to Envoy's admin interface.
const adminTimeout = 30 * time.Second

func (a *app) proxyAdminCommand(name, method, short, example string) *cobra.Command {
	var file string
	target := adminTarget{}
	queries := `QUERY is a path such as 'logging?level=debug' or reset_counters; "osm proxy get help POD" lists all paths.`
	if method == http.MethodGet {
		queries = `QUERY is a path such as config_dump, clusters, listeners, stats, certs, ready or server_info; "help" lists all paths. ` +
			"The queries " + strings.Join(sidecartable.Names(), " and ") + " print tables."
	}
	const slots = "\n\nOf a pod with two sidecar slots, the Envoy that serves answers. --slot asks that of a slot, for example while it drains; it needs the permission to create pods/exec."
	cmd := &cobra.Command{
		Use:     name + " QUERY POD",
		Short:   short,
		Long:    short + " and print the response. POD is NAME or NAMESPACE/NAME.\n\n" + queries + slots,
		Example: example,
		Args:    exactly(2, "QUERY or POD"),

		ValidArgsFunction: a.completeAdmin,
		RunE: a.runInNamespace(func(ctx context.Context, namespace string, args []string) error {
			show := func(answer io.Reader) error {
				if file == "" {
					_, err := io.Copy(a.Out, answer)
					return err
				}
				return writeFile(file, func(w io.Writer) error { _, err := io.Copy(w, answer); return err })
			}
			query := args[0]
			if known, ok := sidecartable.Queries()[query]; ok && method == http.MethodGet {
				query, show = known.Path, tableOf(known, show)
			}
			return a.queryAdmin(ctx, method, query, namespace, args[1], target, show)
		}),
	}
	cmd.Flags().StringVarP(&file, "file", "f", "", "write the response to a file")
	cmd.Flags().Uint16VarP(&target.local, "local-port", "p", 0, "local port to forward (default: any free port)")
	cmd.Flags().StringVar(&target.slot, "slot", "", "slot of a pod that has two: envoy or envoy-standby (default: the one that serves)")
	cmd.MarkFlagsMutuallyExclusive("slot", "local-port")
	_ = cmd.RegisterFlagCompletionFunc("slot", cobra.FixedCompletions([]string{names.SidecarContainer, names.StandbyContainer}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// adminTarget is how the admin interface of a pod is reached.
type adminTarget struct {
	// local is the local port, and 0 for any. slot is empty for the Envoy that serves.
	local uint16
	slot  string
}

// tableOf shows an answer as a table.
func tableOf(q sidecartable.Query, show func(io.Reader) error) func(io.Reader) error {
	return func(answer io.Reader) error {
		table, err := q.Table(answer)
		if err != nil {
			return err
		}
		var text bytes.Buffer
		if err := new(output.Flag).Print(&text, output.Result{Table: table}); err != nil {
			return err
		}
		return show(&text)
	}
}

// queryAdmin sends a request to the Envoy admin interface of a pod.
func (a *app) queryAdmin(ctx context.Context, method, query, namespace, name string, target adminTarget, show func(io.Reader) error) error {
	c, err := a.kube.Client()
	if err != nil {
		return err
	}
	parsed, err := runningPod(ctx, c, namespace, name)
	if err != nil {
		return err
	}
	namespace, name = parsed.Namespace, parsed.Name
	pod := &corev1.Pod{}
	err = c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, pod)
	if apierrors.IsNotFound(err) {
		return fmt.Errorf("Could not find pod %s in namespace %s: specify it as NAMESPACE/POD, or with -n", name, namespace) //nolint:staticcheck // same message as OSM
	}
	if err != nil {
		return err
	}
	if pod.Labels[names.ProxyUUIDLabel] == "" && !ingest.IsInjected(pod) {
		return fmt.Errorf("Pod %s in namespace %s is not a part of a mesh: it has no sidecar", name, namespace) //nolint:staticcheck // same message as OSM
	}
	if pod.Status.Phase != corev1.PodRunning {
		return fmt.Errorf("pod %s in namespace %s is not running: its phase is %s", name, namespace, pod.Status.Phase)
	}
	path := "/" + strings.TrimPrefix(query, "/")
	if target.slot != "" {
		if !slices.Contains(kube.Slots(pod), target.slot) {
			return fmt.Errorf("pod %s in namespace %s has no slot %s: omit --slot", name, namespace, target.slot)
		}
		answer, err := a.kube.SlotAnswer(ctx, namespace, name, target.slot, method, path)
		if err != nil {
			return fmt.Errorf("slot %s of pod %s/%s: %w", target.slot, namespace, name, err)
		}
		return show(bytes.NewReader(answer))
	}
	ctx, cancel := context.WithTimeout(ctx, adminTimeout)
	defer cancel()
	address, err := a.kube.Forward(ctx, namespace, name, int(target.local), names.AdminPort)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://"+address+path, nil)
	if err != nil {
		return fmt.Errorf("invalid query %q: %w", query, err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("sidecar of pod %s/%s does not respond: %w", namespace, name, err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 2000))
		return fmt.Errorf("sidecar of pod %s/%s returned status %s for %s: %s", namespace, name, response.Status, query, strings.TrimSpace(string(text)))
	}
	return show(response.Body)
}

// proxyDetail prints the status of one sidecar.
func (a *app) proxyDetail(ctx context.Context, c client.Client, m mesh, namespace, pod string, form *output.Flag) error {
	parsed, err := runningPod(ctx, c, namespace, pod)
	if err != nil {
		return err
	}
	namespace, pod = parsed.Namespace, parsed.Name
	all, complete, err := a.sidecars(ctx, c, m, namespace)
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(p connected) bool { return p.Pod != pod })
	switch {
	case len(all) == 0 && !complete:
		return fmt.Errorf("sidecar of pod %s not found, but not all control plane replicas respond", pod)
	case len(all) == 0:
		return fmt.Errorf("no running pod %s with a sidecar found in %s: see `osm proxy status`", pod, formatPlace(namespace, m))
	}
	if i := slices.IndexFunc(all, func(p connected) bool { return p.Namespace != all[0].Namespace }); i > 0 {
		return fmt.Errorf("several namespaces have a pod %s (%s, %s): select one with -n", pod, all[0].Namespace, all[i].Namespace)
	}
	return a.printDetails(all, form)
}

// printDetails prints the status of the Envoys of a pod. JSON and YAML have the one that serves.
func (a *app) printDetails(envoys []connected, form *output.Flag) error {
	serving, failed := envoys[0], false
	for _, p := range envoys {
		if p.Role == report.Serving {
			serving = p
		}
		failed = failed || p.State != stateUpToDate && p.State != stateBehind
	}
	text := func(io.Writer) error {
		for i, p := range envoys {
			if i > 0 {
				a.line("")
			}
			if err := a.printDetail(p); err != nil {
				return err
			}
		}
		return nil
	}
	err := form.Print(a.Out, output.Result{Data: serving, Names: []string{"pod/" + serving.Pod}, Text: text})
	return exitIf(failed, exitFailed, err)
}

func formatPlace(namespace string, m mesh) string {
	if namespace == "" {
		return "mesh " + m.Name
	}
	return "namespace " + namespace
}

func (a *app) printDetail(p connected) error {
	line := func(title, format string, args ...any) { a.line("%-15s %s", title, fmt.Sprintf(format, args...)) }
	line("Pod", "%s/%s", p.Namespace, p.Pod)
	line("Account", "%s", p.ServiceAccount)
	line("State", "%s", stateText(p))
	if p.Slot != "" {
		line("Slot", "%s", p.Slot)
	}
	if p.Replica != "" {
		line("Connected", "%s ago, to %s", a.since(p.Connected), p.Replica)
	}
	line("Revision", "%s", orUnknown(p.Revision))
	if p.OnDemand {
		line("Destinations", "%s: loaded at the first call%s", configv1alpha2.DestinationsOnDemand, soFar(p.Destinations))
	}
	switch {
	case p.CertificateEnd == nil:
		line("Certificate", "none acknowledged")
	case !p.CertificateEnd.After(a.now()):
		line("Certificate", "expired at %s", p.CertificateEnd.Format(time.RFC3339))
	default:
		line("Certificate", "expires in %s, at %s", a.until(p.CertificateEnd), p.CertificateEnd.Format(time.RFC3339))
	}
	if len(p.Types) == 0 {
		return nil
	}
	a.line("")
	table := output.Table{Columns: output.Columns("TYPE", "STATE", "VERSION", "SENT", "ACCEPTED", "REJECTED")}
	for _, name := range slices.Sorted(maps.Keys(p.Types)) {
		t := p.Types[name]
		table.Rows = append(table.Rows, []string{
			name, a.stateOfType(t), orDash(t.Version), strconv.FormatUint(t.Sent, 10), strconv.FormatUint(t.Accepted, 10), strconv.FormatUint(t.Rejected, 10),
		})
	}
	if err := new(output.Flag).Print(a.Out, output.Result{Table: table}); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(p.Types)) {
		if text := p.Types[name].Rejection; text != "" {
			a.line("\n%s rejected: %s", name, text)
		}
	}
	return nil
}

func (a *app) stateOfType(t report.Type) string {
	switch {
	case t.Rejection != "":
		return stateRejecting
	case t.Behind != nil:
		return "behind for " + a.since(*t.Behind)
	}
	return stateUpToDate
}
