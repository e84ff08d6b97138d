package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/duration"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/cli/output"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
	reportclient "github.com/openservicemesh/osm-operator/internal/platform/report/client"
)

// connected is an Envoy with the replica that serves it, if any.
type connected struct {
	report.Proxy
	// Role is what the Envoy does in a pod that has two of them.
	Role    report.Role `json:"role,omitempty"`
	State   string      `json:"state"`
	Text    string      `json:"text,omitempty"`
	Replica string      `json:"replica,omitempty"`
}

func (a *app) proxyStatusCommand() *cobra.Command {
	var everywhere bool
	cmd := &cobra.Command{
		Use:   "status [POD]",
		Short: "Show the configuration status of sidecars",
		Long: `Show the status of each sidecar, the control plane replica that serves it, and when its certificate expires. The states are:

  up to date     the sidecar acknowledged its configuration
  behind         the sidecar has not acknowledged the newest configuration yet
  rejecting      Envoy rejects a resource; its error message is printed below the table
  not served     the Envoy version is not supported by the control plane
  not connected  no replica serves the sidecar
  unknown        a replica that may serve the sidecar does not respond

A pod whose sidecar is upgraded in place has two lines. The state of the Envoy that does not serve is followed by "starting" or "draining".

Without -n, the command shows all namespaces of the mesh. With a pod name, it shows the status by resource type.

The exit code is 1 if a sidecar is rejecting, not served or not connected, or if a replica does not respond.`,
		Example: `  osm proxy status
  osm proxy status -n bookstore -o wide
  osm proxy status bookbuyer-5c797ff5f4-tck47 -n bookbuyer`,
		Args:              atMostOne,
		ValidArgsFunction: a.completePods,
	}
	cmd.Flags().BoolVarP(&everywhere, "all-namespaces", "A", false, "show all namespaces of the mesh; this is the default")
	return a.forMesh(cmd, func(ctx context.Context, c client.Client, m mesh, form *output.Flag, args []string) error {
		namespace := a.kube.OnlyNamespace()
		if everywhere {
			namespace = ""
		}
		if len(args) == 1 {
			return a.proxyDetail(ctx, c, m, namespace, args[0], form)
		}
		return a.proxyStatus(ctx, c, m, namespace, form)
	})
}

func (a *app) proxyStatus(ctx context.Context, c client.Client, m mesh, namespace string, form *output.Flag) error {
	if err := m.checkMember(namespace); err != nil {
		return err
	}
	found, complete, err := a.sidecars(ctx, c, m, namespace)
	if err != nil {
		return err
	}
	if len(found) == 0 && form.ForPeople() {
		a.note("No sidecars in %s", formatPlace(namespace, m))
		return exitIf(!complete, exitFailed, nil)
	}
	if err := form.Print(a.Out, a.proxyTable(found)); err != nil {
		return err
	}
	broken := !complete
	for _, p := range found {
		broken = broken || p.State == stateRejecting || p.State == stateDisconnected || p.State == stateUnserved
		verb := map[string]string{stateUnserved: "is not served:", stateRejecting: "rejects"}[p.State]
		if verb != "" && form.ForPeople() && !form.Wide() {
			a.line("\n%s/%s %s %s", p.Namespace, p.Pod, verb, p.Text)
		}
	}
	return exitIf(broken, exitFailed, nil)
}

// sidecars returns the sidecars of a namespace, or of all namespaces if it is empty. These are those that replicas report, and those that
// no replica serves. complete is false if a replica does not respond.
func (a *app) sidecars(ctx context.Context, c client.Client, m mesh, namespace string) (found []connected, complete bool, err error) {
	a.progress().report("reading the sidecar status of mesh %s", m.Name)
	answers, err := a.reports(ctx, c, m).Proxies(ctx)
	if err != nil {
		return nil, false, err
	}
	found, problems := connectedSidecars(answers, namespace)
	for _, problem := range problems {
		a.note("Warning: %s", problem)
	}
	complete = len(problems) == 0
	disconnected, err := disconnectedSidecars(ctx, c, m, namespace, found)
	if err != nil {
		a.note("Warning: could not list pods to find sidecars that are not connected: %v", a.kube.Sentence(err))
	}
	for i := range disconnected {
		if !complete {
			disconnected[i].State = stateUnknown
		}
	}
	found = append(found, disconnected...)
	slices.SortFunc(found, func(x, y connected) int {
		return cmp.Or(strings.Compare(x.Namespace+"/"+x.Pod, y.Namespace+"/"+y.Pod), cmp.Compare(x.Epoch, y.Epoch))
	})
	return found, complete, nil
}

// connectedSidecars returns the sidecars that replicas report, and a problem for each replica that does not respond.
func connectedSidecars(answers []reportclient.Answer[report.Proxies], namespace string) (found []connected, problems []string) {
	found = []connected{}
	for _, answer := range answers {
		if answer.Err != nil {
			problems = append(problems, fmt.Sprintf("could not read the sidecars of replica %s: %v", answer.Replica, answer.Err))
			continue
		}
		for _, p := range answer.Value.Proxies {
			if namespace == "" || namespace == p.Namespace {
				found = append(found, stateOf(p, answer.Replica))
			}
		}
	}
	setRoles(found)
	return found, problems
}

// proxiesOf returns what replicas report about sidecars.
func proxiesOf(sidecars []connected) []report.Proxy {
	return lists.Map(sidecars, func(s connected) report.Proxy { return s.Proxy })
}

// setRoles sets the roles of Envoys in pods that have several.
func setRoles(found []connected) {
	pods := map[string][]report.Proxy{}
	for _, pod := range report.Pods(proxiesOf(found)) {
		pods[pod[0].UID] = pod
	}
	for i := range found {
		if pod := pods[found[i].UID]; len(pod) > 1 {
			found[i].Role = report.RoleOf(found[i].Proxy, pod)
		}
	}
}

// disconnectedSidecars returns the running pods with a sidecar that is not connected.
func disconnectedSidecars(ctx context.Context, c client.Client, m mesh, namespace string, all []connected) ([]connected, error) {
	known := map[string]bool{}
	for _, p := range all {
		known[p.Namespace+"/"+p.Pod] = true
	}
	members := slices.DeleteFunc(m.served(), func(member string) bool { return namespace != "" && namespace != member })
	pods, err := sidecarPods(ctx, c, m, members)
	disconnected := []connected{}
	for _, p := range pods {
		if p.DeletionTimestamp == nil && !known[p.Namespace+"/"+p.Name] {
			disconnected = append(disconnected, connected{State: stateDisconnected, Proxy: report.Proxy{
				Namespace: p.Namespace, Pod: p.Name, UID: string(p.UID), ServiceAccount: p.Spec.ServiceAccountName, Revision: p.Labels[names.RevisionLabel],
				OnDemand: ingest.Pod(p).OnDemand, OSM: ingest.Pod(p).OSMSidecar,
			}})
		}
	}
	return disconnected, err
}

// sidecarPods returns the running pods with a sidecar in namespaces of a mesh, those that terminate included. In the namespace of the control
// plane, these are the pods of the gateways. After an error, it returns those before.
func sidecarPods(ctx context.Context, c client.Reader, m mesh, namespaces []string) ([]*corev1.Pod, error) {
	var running []*corev1.Pod
	for _, namespace := range namespaces {
		selected := client.ListOption(client.HasLabels{names.ProxyUUIDLabel})
		if namespace == m.Namespace {
			selected = client.HasLabels{names.AppLabel}
		}
		var pods corev1.PodList
		if err := c.List(ctx, &pods, client.InNamespace(namespace), selected); err != nil {
			return running, err
		}
		for i := range pods.Items {
			if pods.Items[i].Status.Phase == corev1.PodRunning && (namespace != m.Namespace || isGateway(&pods.Items[i])) {
				running = append(running, &pods.Items[i])
			}
		}
	}
	return running, nil
}

// isGateway reports whether a pod in the namespace of the control plane belongs to a gateway of the mesh.
func isGateway(pod *corev1.Pod) bool {
	return names.IsGateway(pod.Labels[names.AppLabel])
}

// States of a sidecar.
const (
	stateUpToDate  = "up to date"
	stateBehind    = "behind"
	stateRejecting = "rejecting"
	// stateUnserved means connected but not configured, because the Envoy version is not supported.
	stateUnserved = "not served"
	// stateDisconnected means that no replica serves it. stateUnknown means that a replica which does not respond may serve it.
	stateDisconnected = "not connected"
	stateUnknown      = "unknown"
)

// stateOf summarizes the status of all resource types of a sidecar.
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
		one.State, one.Text = stateBehind, "waiting for the acknowledgement of "+strings.Join(behind, ", ")
	}
	return one
}

func (a *app) proxyTable(found []connected) output.Result {
	columns := append(output.Columns("NAMESPACE", "POD", "SERVICE ACCOUNT", "STATE", "CONNECTED", "CERTIFICATE ENDS", "REVISION", "REPLICA"),
		output.Column{Name: "ENVOY", Wide: true}, output.Column{Name: "SLOT", Wide: true}, output.Column{Name: "DESTINATIONS", Wide: true},
		output.Column{Name: "TEXT", Wide: true})
	return output.List(map[string]any{"items": found}, found, columns, func(p connected) (string, []string) {
		return "pod/" + p.Pod, []string{
			p.Namespace, p.Pod, p.ServiceAccount, stateText(p), a.since(p.Connected), a.until(p.CertificateEnd),
			revisionText(p), orDash(p.Replica), orUnknown(p.Envoy), orDash(p.Slot), destinations(p), strings.ReplaceAll(p.Text, "\n", " "),
		}
	})
}

// stateText returns the state of an Envoy, and its role if it does not serve.
func stateText(p connected) string {
	if p.Role == "" || p.Role == report.Serving {
		return p.State
	}
	return p.State + ", " + string(p.Role)
}

// revisionText returns the revision of a sidecar. One of Open Service Mesh has none. The operator updates gateways with the control plane, and their
// pods have none.
func revisionText(p connected) string {
	if p.Revision == "" && slices.Contains(names.SharedGateways(), p.ServiceAccount) {
		return "-"
	}
	if p.OSM {
		return "Open Service Mesh"
	}
	return orUnknown(p.Revision)
}

// destinations returns when a sidecar loads the configuration of Services, as sidecar.destinations of the MeshConfig names it.
func destinations(p connected) string {
	if p.OnDemand && p.Destinations != nil {
		return fmt.Sprintf("%s (%s)", configv1alpha2.DestinationsOnDemand, countDestinations(p.Destinations))
	}
	if p.OnDemand {
		return string(configv1alpha2.DestinationsOnDemand)
	}
	return string(configv1alpha2.DestinationsEager)
}

// soFar is the end of a line about what a sidecar has loaded; empty if that is not known.
func soFar(d *report.Destinations) string {
	if d == nil {
		return ""
	}
	return "; so far " + countDestinations(d)
}

// countDestinations describes what a sidecar has loaded.
func countDestinations(d *report.Destinations) string {
	text := fmt.Sprintf("%d loaded", d.Loaded)
	if d.Unknown > 0 {
		text += fmt.Sprintf(", %d unknown", d.Unknown)
	}
	if d.Forgotten > 0 {
		text += fmt.Sprintf(", %d forgotten", d.Forgotten)
	}
	return text
}

// since returns the time since t, or "-" for the zero time.
func (a *app) since(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return duration.HumanDuration(a.now().Sub(t).Truncate(time.Second))
}

// until returns the time until t, "-" for nil, or "expired".
func (a *app) until(t *time.Time) string {
	switch {
	case t == nil:
		return "-"
	case !t.After(a.now()):
		return "expired"
	}
	return duration.HumanDuration(t.Sub(a.now()).Truncate(time.Second))
}

func orDash(text string) string {
	return cmp.Or(text, "-")
}
