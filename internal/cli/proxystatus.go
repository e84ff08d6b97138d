package cli

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/duration"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/cli/output"
	"github.com/openservicemesh/osm-operator/internal/names"
	"github.com/openservicemesh/osm-operator/internal/report"
)

// connected is a sidecar and the replica that serves it, if one does.
type connected struct {
	report.Proxy
	State   string `json:"state"`
	Text    string `json:"text,omitempty"`
	Replica string `json:"replica,omitempty"`
}

func (a *app) proxyStatusCommand() *cobra.Command {
	var meshName string
	var everywhere bool
	var form output.Flag
	cmd := &cobra.Command{
		Use:   "status [POD]",
		Short: "Show every sidecar, and whether it has its configuration",
		Long: `Shows every sidecar: by which replica of the control plane it is served, whether it has acknowledged its configuration (up to
date), has not answered yet (behind), refuses something (rejecting, with Envoy's own words below the table), has an Envoy that is too
old for the control plane (not served), or is not connected, and when its certificate expires. Without -n, those of all namespaces of the mesh. With the name of a pod, everything that is known
of its sidecar, by type of resources.

The exit code is 1 when a sidecar rejects something, is not served or not connected, or a replica cannot be asked.`,
		Example: `  osm proxy status
  osm proxy status -n bookstore -o wide
  osm proxy status bookbuyer-5c797ff5f4-tck47 -n bookbuyer`,
		Args: func(cmd *cobra.Command, args []string) error { return exactly(min(len(args), 1), "")(cmd, args) },
		RunE: a.run(func(ctx context.Context, args []string) error {
			namespace := a.kube.OnlyNamespace()
			if everywhere {
				namespace = ""
			}
			if len(args) == 1 {
				return a.proxyDetail(ctx, meshName, namespace, args[0], &form)
			}
			return a.proxyStatus(ctx, meshName, namespace, &form)
		}),
		ValidArgsFunction: a.completePods,
	}
	a.addMeshName(cmd, &meshName, "")
	cmd.Flags().BoolVarP(&everywhere, "all-namespaces", "A", false, "all namespaces of the mesh, which is so anyway without -n")
	form.AddTo(cmd.Flags())
	return cmd
}

func (a *app) proxyStatus(ctx context.Context, meshName, namespace string, form *output.Flag) error {
	c, m, err := a.open(ctx, meshName, form)
	if err != nil {
		return err
	}
	found, complete, err := a.sidecars(ctx, c, m, namespace)
	if err != nil {
		return err
	}
	if err := form.Print(a.Out, a.proxyTable(found)); err != nil {
		return err
	}
	broken := !complete
	for _, p := range found {
		broken = broken || p.State == stateRejecting || p.State == stateApart || p.State == stateUnserved
		if p.State == stateUnserved && form.ForPeople() && !form.Wide() {
			a.line("\n%s/%s is not served: %s", p.Namespace, p.Pod, p.Text)
		}
		if p.State == stateRejecting && form.ForPeople() && !form.Wide() {
			a.line("\n%s/%s rejects %s", p.Namespace, p.Pod, p.Text)
		}
	}
	if broken {
		return silent{exitFailed}
	}
	return nil
}

// sidecars are those of a namespace, or of all with an empty name: what the replicas know of them, and those of which no replica
// knows. complete is false when a replica does not answer.
func (a *app) sidecars(ctx context.Context, c client.Client, m mesh, namespace string) (found []connected, complete bool, err error) {
	a.progress().say("asking the control plane of mesh %s about its sidecars", m.Name)
	answers, err := a.reports(ctx, c, m).Proxies(ctx)
	if err != nil {
		return nil, false, err
	}
	found, complete = []connected{}, true
	for _, answer := range answers {
		if answer.Err != nil {
			complete = false
			a.note("The sidecars of replica %s are unknown: %v", answer.Replica, answer.Err)
			continue
		}
		for _, p := range answer.Value.Proxies {
			if namespace == "" || namespace == p.Namespace {
				found = append(found, stateOf(p, answer.Replica))
			}
		}
	}
	apart, err := sidecarsApart(ctx, c, m, namespace, found)
	if err != nil {
		a.note("Sidecars that are not connected are unknown: %v", a.kube.Sentence(err))
	}
	for i := range apart {
		if !complete {
			apart[i].State = stateUnknown
		}
	}
	found = append(found, apart...)
	slices.SortFunc(found, func(x, y connected) int { return strings.Compare(x.Namespace+"/"+x.Pod, y.Namespace+"/"+y.Pod) })
	return found, complete, nil
}

// sidecarsApart are the pods of a mesh that run with a sidecar which is not among the connected ones.
func sidecarsApart(ctx context.Context, c client.Client, m mesh, namespace string, all []connected) ([]connected, error) {
	known := map[string]bool{}
	for _, p := range all {
		known[p.Namespace+"/"+p.Pod] = true
	}
	apart := []connected{}
	for _, member := range m.Members {
		if namespace != "" && namespace != member {
			continue
		}
		var pods corev1.PodList
		if err := c.List(ctx, &pods, client.InNamespace(member), client.HasLabels{names.ProxyUUIDLabel}); err != nil {
			return apart, err
		}
		for i := range pods.Items {
			p := &pods.Items[i]
			if p.Status.Phase != corev1.PodRunning || p.DeletionTimestamp != nil || known[p.Namespace+"/"+p.Name] {
				continue
			}
			apart = append(apart, connected{State: stateApart, Proxy: report.Proxy{
				Namespace: p.Namespace, Pod: p.Name, UID: string(p.UID), ServiceAccount: p.Spec.ServiceAccountName, Revision: p.Labels[names.RevisionLabel],
			}})
		}
	}
	return apart, nil
}

// The states of a sidecar.
const (
	stateUpToDate  = "up to date"
	stateBehind    = "behind"
	stateRejecting = "rejecting"
	// stateUnserved: it is connected and sent nothing, since its Envoy is too old.
	stateUnserved = "not served"
	// stateApart: no replica serves it. stateUnknown: a replica that does not answer may.
	stateApart   = "not connected"
	stateUnknown = "unknown"
)

// stateOf sums up how far a sidecar is with all types of resources.
func stateOf(p report.Proxy, replica string) connected {
	one := connected{Proxy: p, State: stateUpToDate, Replica: replica}
	var rejections, behind []string
	for name, t := range p.Types {
		if t.Rejection != "" {
			rejections = append(rejections, name+": "+t.Rejection)
		}
		if t.Behind != nil {
			behind = append(behind, name)
		}
	}
	slices.Sort(rejections)
	slices.Sort(behind)
	switch {
	case p.Unserved != "":
		one.State, one.Text = stateUnserved, p.Unserved
	case len(rejections) > 0:
		one.State, one.Text = stateRejecting, strings.Join(rejections, "; ")
	case len(behind) > 0:
		one.State, one.Text = stateBehind, "waiting for an answer about "+strings.Join(behind, ", ")
	}
	return one
}

func (a *app) proxyTable(found []connected) output.Result {
	result := output.Result{Data: map[string]any{"items": found}, Table: output.Table{Columns: append(
		output.Columns("NAMESPACE", "POD", "SERVICE ACCOUNT", "STATE", "CONNECTED", "CERTIFICATE ENDS", "REVISION", "REPLICA"), output.Column{Name: "ENVOY", Wide: true}, output.Column{Name: "TEXT", Wide: true})}}
	for _, p := range found {
		result.Names = append(result.Names, "pod/"+p.Pod)
		result.Table.Rows = append(result.Table.Rows, []string{
			p.Namespace, p.Pod, p.ServiceAccount, p.State, a.since(p.Connected), a.until(p.CertificateEnd), orUnknown(p.Revision), orNone(p.Replica), orUnknown(p.Envoy), strings.ReplaceAll(p.Text, "\n", " "),
		})
	}
	return result
}

// since is how long ago something was, "-" for never.
func (a *app) since(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return duration.HumanDuration(a.now().Sub(t).Truncate(time.Second))
}

// until is how long it is until a time; "-" without one.
func (a *app) until(t *time.Time) string {
	switch {
	case t == nil:
		return "-"
	case !t.After(a.now()):
		return "expired"
	}
	return duration.HumanDuration(t.Sub(a.now()).Truncate(time.Second))
}

func orNone(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
